"""What the options of `load` and `run` mean."""

from pathlib import Path

import pytest
import typer

from shared.errors import SettingsError
from tallyman.cli import trust_settings
from tallyman.commands.load import connection_settings
from tallyman.commands.run import address_of
from tests.support.certificates import make_authority


def test_an_option_that_was_not_given_leaves_the_setting_as_it_was() -> None:
    assert connection_settings(name=None, username="reader", page_size=None) == {"username": "reader"}
    assert trust_settings(insecure=False, ca=None) == {}


def test_insecure_and_ca_undo_each_other(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    file = tmp_path / "bundle.pem"
    file.write_text("# Főtanúsítvány\n" + authority.certificate_file.read_text(), encoding="utf-8")
    given = connection_settings(**trust_settings(insecure=False, ca=file))
    assert given["skip_tls_verification"] is False
    assert given["ca"] == authority.certificate_file.read_text().strip()
    assert connection_settings(**trust_settings(insecure=True, ca=None)) == {"skip_tls_verification": True, "ca": None}


def test_insecure_and_ca_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="leave --ca out"):
        trust_settings(insecure=True, ca=make_authority(tmp_path).certificate_file)


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_a_ca_file_without_certificates_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(text)
    with pytest.raises(typer.BadParameter, match="not a readable file of PEM certificates"):
        trust_settings(insecure=False, ca=file)


@pytest.mark.parametrize(
    ("listen", "address"), [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:1", ("::1", 1)), (None, None)]
)
def test_an_address_to_listen_at_is_host_and_port(listen: str | None, address: tuple[str, int] | None) -> None:
    assert address_of(listen) == address


@pytest.mark.parametrize("listen", ["8080", ":8080", "host:", "host:0", "host:65536", "host:http"])
def test_an_address_that_is_none_is_refused_with_an_example(listen: str) -> None:
    with pytest.raises(SettingsError, match=r"give HOST:PORT, as 127\.0\.0\.1:8080"):
        address_of(listen)
