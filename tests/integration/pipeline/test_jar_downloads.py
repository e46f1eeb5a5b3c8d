"""The broker's jars are downloaded also behind a proxy that inspects HTTPS with a company's own CA."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.pipeline.jars import Jar, JarError, ensure_jars
from tests.support.inspecting_proxy import InspectingProxy, inspecting_proxy

VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
BODIES = {"/org/example/first/1.0/first-1.0.jar": b"first", "/org/example/second/2.0/second-2.0.jar": b"second"}
JARS = tuple(
    Jar(f"org.example:{name}:{version}", hashlib.sha256(name.encode()).hexdigest())
    for name, version in (("first", "1.0"), ("second", "2.0"))
)
NAME_HASH = "ba887188"
"""By it OpenSSL finds the proxy's CA in a folder: `openssl x509 -noout -hash`."""


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InspectingProxy]:
    """The environment names the proxy, and no CA file."""
    for variable in (*VARIABLES, "SSL_CERT_DIR", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    with inspecting_proxy(tmp_path / "proxy", BODIES) as proxy:
        for variable in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(variable, proxy.address)
        yield proxy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "jars"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_ca_that_is_named_for_another_program_is_trusted(
    proxy: InspectingProxy, folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(proxy.authority.certificate_file))
    assert [path.read_bytes() for path in ensure_jars(folder, JARS)] == [b"first", b"second"]
    assert {path.rpartition("/org/")[2] for path in proxy.asked} == {path.removeprefix("/org/") for path in BODIES}


def test_a_ca_of_the_systems_store_is_trusted(
    proxy: InspectingProxy, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / f"{NAME_HASH}.0").write_bytes(proxy.authority.certificate_file.read_bytes())
    monkeypatch.setenv("SSL_CERT_DIR", str(store))
    assert [path.read_bytes() for path in ensure_jars(folder, JARS)] == [b"first", b"second"]


def test_without_the_ca_the_sentence_names_what_to_set(proxy: InspectingProxy, folder: Path) -> None:
    with pytest.raises(JarError, match=r"first-1\.0\.jar .* is not trusted .* SSL_CERT_FILE, PIP_CERT or REQUESTS_CA"):
        ensure_jars(folder, JARS[:1])
    assert proxy.asked == []
    assert list(folder.iterdir()) == []


def test_a_ca_file_that_is_not_there_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "missing.pem"))
    with pytest.raises(JarError, match=r"PIP_CERT names \S+missing\.pem, which cannot be read as CA certificates"):
        ensure_jars(folder, JARS[:1])


def test_a_server_that_is_busy_is_asked_again(
    proxy: InspectingProxy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.authority.certificate_file))
    proxy.busy = 2
    assert len(ensure_jars(folder, JARS[:1])) == 1
    assert len(proxy.asked) == 3


def test_a_jar_that_is_not_there_is_an_error_that_names_it(
    proxy: InspectingProxy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.authority.certificate_file))
    with pytest.raises(JarError, match=r"other-1\.jar of the embedded broker could not be downloaded \(HTTPError\)"):
        ensure_jars(folder, [Jar("org.example:other:1", "0" * 64)])
