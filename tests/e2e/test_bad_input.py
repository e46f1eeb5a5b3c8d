"""Bad registries as a user of `tallyman load` sees them: an exit code, one sentence with what to do, nothing lost."""

import base64
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.small_registry import CATALOG, REPOSITORY, TAGS, SmallRegistry, manifest_path
from tests.e2e.tallyman_commands import Tallyman
from tests.fakes.hostile_registry import (
    Reply,
    Seen,
    hostile_registry,
    reply_challenge,
    reply_error,
    reply_json,
    reply_manifest,
)
from tests.support.certificates import Certificate, make_authority, make_server_certificate

COMPLETE, USAGE, PARTIAL, FAILED = 0, 2, 3, 4
HTML = Reply(200, b"<!DOCTYPE html><html><body>Sign in</body></html>", (("Content-Type", "text/html"),))
PASSWORD = "a planted secret"  # made up; looked for in everything that is written

Break = Callable[[SmallRegistry], None]


@pytest_asyncio.fixture
async def registry() -> AsyncIterator[SmallRegistry]:
    """A registry that is still well."""
    async with hostile_registry() as fake:
        small = SmallRegistry(fake)
        small.fill()
        yield small


def _at(path: str, script: Any) -> Break:
    return lambda registry: registry.breaks(path, script)


def _name_pages(seen: Seen) -> Reply:
    """Answer every catalog page with one more."""
    number = int(seen.query.get("last", ["0"])[0].rpartition("-")[2]) + 1
    link = ("Link", f'</v2/_catalog?last=r-{number}&n=100>; rel="next"')
    return reply_json({"repositories": [f"r-{number}"]}, 200, link)


def _same_page(seen: Seen) -> Reply:
    """Answer every page of tags with the first, and say that more follow."""
    return reply_json({"tags": ["1.0"]}, 200, ("Link", f'<{TAGS}?last=1.0&n=100>; rel="next"'))


def _deleted_cursor(seen: Seen) -> Reply:
    """Answer as a registry whose entry 2.0 was deleted after the first page: nothing follows what is not there."""
    match seen.query.get("last"):
        case None:
            return reply_json({"tags": ["1.0", "2.0"]}, 200, ("Link", f'<{TAGS}?last=2.0&n=2>; rel="next"'))
        case ["1.0"]:
            return reply_json({"tags": ["3.0"]})
    return reply_json({"tags": []})


UNREADABLE_CATALOGS: dict[str, tuple[Any, str, str]] = {
    "forbidden": (reply_error(403, "DENIED"), "catalog_forbidden", "Give it the right to list all repositories"),
    "a web page": (HTML, "not_a_registry", "Check the host"),
    "cut off": (Reply(body=b'{"repositories": ["shop/ca', cut=20), "connection_lost", "load again"),
    "no JSON": (Reply(body=b'{"repositories": ["shop/ca'), "answer_unusable", "Check the registry"),
    "not UTF-8": (Reply(body=b'{"repositories": ["shop/\xff\xfe"]}'), "name_unusable", "Rename or delete it"),
    "control characters": (reply_json({"repositories": ["shop/\u0007bell"]}), "name_unusable", "Rename or delete it"),
    "never answers": (Reply(raw=b""), "connection_lost", "load again"),
    "down for maintenance": (Reply(503), "registry_unavailable", "load again"),
    "too many requests": (Reply(429, headers=(("Retry-After", "0"),)), "rate_limited", "max RPS"),
}


@pytest.mark.parametrize("case", UNREADABLE_CATALOGS)
async def test_a_catalog_that_cannot_be_read_fails_the_scan(
    case: str, tallyman: Tallyman, registry: SmallRegistry
) -> None:
    reply, reason, advice = UNREADABLE_CATALOGS[case]
    before = await known(tallyman, registry)
    registry.breaks(CATALOG, reply)

    await assert_told(tallyman, registry, FAILED, reason, advice)

    assert await shown(tallyman, registry) == before


UNREADABLE_PARTS: dict[str, tuple[Break, str, str]] = {
    "404 that is no registry's": (_at(TAGS, Reply(404, b"nothing here")), "not_a_registry", "Check"),
    "a tag list cut off": (_at(TAGS, Reply(body=b'{"tags": ["1.0", "2', cut=10)), "connection_lost", "load again"),
    "a tag list that is no JSON": (
        _at(TAGS, Reply(body=b'{"tags": ["1.0", "2')),
        "answer_unusable",
        "Check the registry",
    ),
    "a web page for tags": (_at(TAGS, HTML), "not_a_registry", "Check"),
    "tags forbidden": (_at(TAGS, reply_error(403, "DENIED")), "forbidden", "Give the account the right to pull it"),
    "a tag page that leads to itself": (_at(TAGS, _same_page), "cursor_stuck", "Raise the page size"),
    "a cursor whose entry was deleted": (_at(TAGS, _deleted_cursor), "cursor_lost", "Load again"),
    "a manifest of other bytes": (
        _at(manifest_path("1.0"), reply_manifest(b'{"schemaVersion": 2}', "sha256:" + "0" * 64)),
        "digest_mismatch",
        "Check the registry's storage",
    ),
    "a manifest of 30 MB": (
        _at(manifest_path("1.0"), reply_manifest(b" " * 30_000_000)),
        "body_too_large",
        "Look at what it serves",
    ),
    "a manifest that is no JSON": (
        _at(manifest_path("1.0"), reply_manifest(b"{")),
        "manifest_malformed",
        "Push it again",
    ),
    "too many requests for tags": (
        _at(TAGS, Reply(429, headers=(("Retry-After", "0"),))),
        "rate_limited",
        "Lower the connection's max RPS",
    ),
}


@pytest.mark.parametrize("case", UNREADABLE_PARTS)
async def test_what_cannot_be_read_of_a_repository_makes_the_scan_partial(
    case: str, tallyman: Tallyman, registry: SmallRegistry
) -> None:
    broken, reason, advice = UNREADABLE_PARTS[case]
    before = await known(tallyman, registry)
    broken(registry)

    await assert_told(tallyman, registry, PARTIAL, reason, advice)

    assert await shown(tallyman, registry) == before


async def test_pages_without_end_are_given_up_and_prove_nothing(tallyman: Tallyman, registry: SmallRegistry) -> None:
    before = await known(tallyman, registry)
    registry.breaks(CATALOG, _name_pages)
    for number in range(1, 60):
        registry.breaks(f"/v2/r-{number}/tags/list", reply_json({"tags": []}))

    await assert_told(tallyman, registry, PARTIAL, "pages_endless", "TALLYMAN_LISTING_PAGES")

    assert await shown(tallyman, registry) == before


async def test_a_body_that_trickles_in_is_given_up(tallyman: Tallyman, registry: SmallRegistry) -> None:
    before = await known(tallyman, registry, read_timeout_seconds=0.1)
    registry.breaks(TAGS, Reply(body=b" " * 1000, drip_seconds=0.05))

    await assert_told(tallyman, registry, PARTIAL, "timeout", "Raise the read timeout")

    assert await shown(tallyman, registry) == before


async def test_a_repository_that_the_registry_no_longer_knows_is_gone_without_a_failure(
    tallyman: Tallyman, registry: SmallRegistry
) -> None:
    await known(tallyman, registry)
    registry.breaks(TAGS, reply_error(404, "NAME_UNKNOWN"))

    told = await tallyman.load(registry.url)

    assert (told["status"], told["removed"], told["failed"]) == ("complete", 3, 0)
    assert await shown(tallyman, registry) == []


async def test_a_manifest_deleted_after_its_tag_was_listed_is_gone_without_a_failure(
    tallyman: Tallyman, registry: SmallRegistry
) -> None:
    before = await known(tallyman, registry)
    registry.breaks(manifest_path("2.0"), reply_error(404, "MANIFEST_UNKNOWN"))

    told = await tallyman.load(registry.url)

    assert (told["status"], told["removed"], told["failed"]) == ("complete", 1, 0)
    assert await shown(tallyman, registry) == [row for row in before if row["tags"] != ["2.0"]]


async def test_a_page_size_that_the_registry_refuses_is_halved(tallyman: Tallyman, registry: SmallRegistry) -> None:
    def choosy(seen: Seen) -> Reply:
        if int(seen.query["n"][0]) > 50:
            return reply_error(400, "PAGINATION_NUMBER_INVALID")
        return reply_json({"repositories": [REPOSITORY]})

    registry.breaks(CATALOG, choosy)

    assert len(await known(tallyman, registry)) == 3


async def test_a_storm_of_429_is_ridden_out(tallyman: Tallyman, registry: SmallRegistry) -> None:
    for path, script in list(registry.fake.scripts.items()):
        assert isinstance(script, Reply)
        registry.breaks(path, [Reply(429, headers=(("Retry-After", "0"),)), script])

    assert len(await known(tallyman, registry)) == 3


async def test_a_registry_that_is_down_fails_and_keeps_what_was_known(tallyman: Tallyman) -> None:
    async with hostile_registry() as fake:
        registry = SmallRegistry(fake)
        registry.fill()
        before = await known(tallyman, registry)
        registry.breaks(CATALOG, Reply(raw=b""))  # for connections that outlive the server

    await assert_told(tallyman, registry, FAILED, "registry_unreachable", "Check that it runs")

    assert await shown(tallyman, registry) == before


async def test_a_host_name_that_nobody_knows_is_said_to_be_so(tallyman: Tallyman) -> None:
    done = await tallyman("load", "http://registry.invalid", code=FAILED)
    assert "The name of registry.invalid cannot be resolved. Check its spelling and the DNS." in flat(done.out)


async def test_a_host_without_protocol_is_wrong_usage(tallyman: Tallyman) -> None:
    done = await tallyman("load", "registry.example.com", code=USAGE)
    assert "a host starts with https:// or http://, as in https://registry.example.com" in done.err
    assert await tallyman.ask("SELECT name FROM registries WHERE name = 'registry.example.com'") == []


async def test_a_wrong_password_is_shown_twice_at_most_and_loses_nothing(
    tallyman: Tallyman, registry: SmallRegistry
) -> None:
    right = "Basic " + base64.b64encode(b"reader:right").decode()
    for path, script in list(registry.fake.scripts.items()):
        assert isinstance(script, Reply)
        registry.breaks(path, _behind(right, script))
    words = ("--username", "reader", "--password-stdin")
    await tallyman.load(registry.url, *words, stdin="right\n")
    before = await shown(tallyman, registry)
    registry.fake.seen.clear()

    told = await tallyman("load", registry.url, *words, code=FAILED, stdin=PASSWORD + "\n")

    assert "rejected the user name or password" in flat(told.out)
    attempts = [seen for seen in registry.fake.seen if seen.basic == f"reader:{PASSWORD}"]
    assert 1 <= len(attempts) <= 2
    assert await shown(tallyman, registry) == before
    assert_secret_nowhere(tallyman)
    assert (await tallyman.load(registry.url, *words, stdin="right\n"))["status"] == "complete"


@dataclass
class SecureRegistry:
    """A small registry over TLS. authority: the CA it is known by.  context: what it serves with."""

    small: SmallRegistry
    authority: Certificate
    context: ssl.SSLContext

    def shows(self, certificate: Certificate) -> None:
        """Show this certificate on connections from now on."""
        self.context.load_cert_chain(certificate.certificate_file, certificate.key_file)


@pytest_asyncio.fixture
async def secure(tmp_path: Path) -> AsyncIterator[SecureRegistry]:
    """A registry whose certificate is still well; it answers one request a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = make_authority(tmp_path)
    async with hostile_registry(context) as fake:
        registry = SecureRegistry(SmallRegistry(fake), authority, context)
        registry.shows(make_server_certificate(tmp_path / "well", authority))
        registry.small.fill()
        for path, reply in list(fake.scripts.items()):
            assert isinstance(reply, Reply)
            registry.small.breaks(path, replace(reply, cut=len(reply.body)))
        yield registry


def _expired(folder: Path, authority: Certificate) -> Certificate:
    return make_server_certificate(folder, authority, until=datetime(2021, 1, 1, tzinfo=UTC))


def _of_another_host(folder: Path, authority: Certificate) -> Certificate:
    return make_server_certificate(folder, authority, host="registry.example.com")


def _of_another_authority(folder: Path, authority: Certificate) -> Certificate:
    return make_server_certificate(folder, make_authority(folder, "Another CA"))


def _signed_by_itself(folder: Path, authority: Certificate) -> Certificate:
    return make_authority(folder, "Nobody's CA")


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (_expired, "has expired"),
        (_of_another_host, "is for another address"),
        (_of_another_authority, "is signed by a CA that is not known here"),
        (_signed_by_itself, "is self-signed"),
    ],
)
async def test_a_certificate_that_went_bad_is_named_and_loses_nothing(
    bad: Callable[[Path, Certificate], Certificate],
    problem: str,
    tallyman: Tallyman,
    secure: SecureRegistry,
    tmp_path: Path,
) -> None:
    before = await known(tallyman, secure.small, ca=secure.authority.certificate_file.read_text())
    secure.shows(bad(tmp_path / "bad", secure.authority))

    await assert_told(tallyman, secure.small, FAILED, "tls_failed", f"its certificate {problem}")

    assert await shown(tallyman, secure.small) == before


async def test_a_registry_of_an_unknown_authority_is_loaded_once_its_ca_is_given(
    tallyman: Tallyman, secure: SecureRegistry
) -> None:
    refused = await tallyman("load", secure.small.url, code=FAILED)
    assert "is signed by a CA that is not known here. Give its CA with --ca FILE." in flat(refused.out)

    ca = str(secure.authority.certificate_file)
    for words in (("--insecure",), ("--ca", ca)):  # each undoes the other
        assert (await tallyman.load(secure.small.url, *words))["status"] == "complete"


async def test_a_ca_file_that_holds_no_certificate_is_wrong_usage(tallyman: Tallyman, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    done = await tallyman("load", "https://registry.invalid", "--ca", str(file), code=USAGE)
    assert "is not a readable file of PEM certificates" in flat(done.err)


def _behind(right: str, script: Reply) -> Callable[[Seen], Reply]:
    return lambda seen: script if seen.authorization == right else reply_challenge('Basic realm="shop"')


def assert_secret_nowhere(tallyman: Tallyman) -> None:
    """Assert that the password, plain or as a Basic header has it, is in nothing that was printed, logged or kept."""
    secrets = [PASSWORD.encode(), base64.b64encode(f"reader:{PASSWORD}".encode())]
    written = {str(number): said.encode() for number, said in enumerate(tallyman.said)}
    files = [path for path in tallyman.data.parent.rglob("*") if path.is_file() and path.name != "secret.key"]
    assert len(files) > 10
    written |= {str(path): path.read_bytes() for path in files}
    assert [name for name, text in written.items() if any(secret in text for secret in secrets)] == []


async def known(tallyman: Tallyman, registry: SmallRegistry, **connection: Any) -> list[dict[str, Any]]:
    """Load the registry while it is well, its connection set up like this; return its images as they are shown then."""
    loaded = await tallyman.load_here(registry.url, **connection)
    assert (loaded.status, loaded.failed) == ("complete", 0)
    return await shown(tallyman, registry)


async def shown(tallyman: Tallyman, registry: SmallRegistry) -> list[dict[str, Any]]:
    """The registry's images, without the time of the last listing."""
    name = registry.url.partition("://")[2]
    return await tallyman.ask(
        f"SELECT * EXCEPT last_seen FROM current_images WHERE registry = '{name}' ORDER BY repository, digest"
    )


async def assert_told(tallyman: Tallyman, registry: SmallRegistry, code: int, reason: str, advice: str) -> None:
    """Assert that a load ends so, and that one sentence, printed and kept, says why and what to do."""
    done = await tallyman("load", registry.url, "--json", code=code)
    (told,) = done.objects()
    assert told["status"] == {PARTIAL: "partial", FAILED: "failed"}[code]
    of_scan = f"registry = '{told['registry']}' AND scan_id = {told['scan_id']}"
    failures = await tallyman.ask(f"SELECT reason, detail FROM scan_failures WHERE {of_scan}")
    assert len(failures) == told["failed"] == 1
    (why,) = failures
    assert why["reason"] == reason
    assert advice in why["detail"]
    assert why["detail"].endswith(".")
    assert why["detail"] in done.err


def flat(text: str) -> str:
    """Return text without its line breaks."""
    return " ".join(text.split())
