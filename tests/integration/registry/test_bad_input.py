"""Whatever comes over the wire, the client gives an answer or one error that says what to do, and never hangs."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.errors import TallymanError
from shared.oci.digest import Digest
from shared.registry.client import FetchedManifest, RegistryClient, Unchanged
from shared.registry.errors import (
    AnswerUnusable,
    BadName,
    BodyTooLarge,
    CatalogForbidden,
    CredentialsNeeded,
    CursorLost,
    CursorStuck,
    DigestMismatch,
    ManifestGone,
    NotARegistry,
    RateLimited,
    RegistryUnavailable,
    RegistryUnreachable,
    RepositoryGone,
    RequestRefused,
)
from shared.registry.meter import metered
from tests.fakes.hostile_registry import (
    HostileRegistry,
    Reply,
    Seen,
    reply_challenge,
    reply_error,
    reply_json,
    reply_manifest,
)
from tests.integration.registry.conftest import MakeClient

Call = Callable[[RegistryClient], Awaitable[Any]]

TAGS = "/v2/a/b/tags/list"
CATALOG = "/v2/_catalog"
MANIFEST = "/v2/a/b/manifests/1.0"
HTML = Reply(200, b"<!DOCTYPE html><html><body>Sign in</body></html>", (("Content-Type", "text/html"),))
DIGEST = Digest.of(b"{}")


def tags(client: RegistryClient) -> Awaitable[Any]:
    return client.tags("a/b")


def catalog(client: RegistryClient) -> Awaitable[Any]:
    return client.catalog()


def manifest(client: RegistryClient) -> Awaitable[Any]:
    return client.manifest("a/b", "1.0")


async def error_of(call: Awaitable[Any]) -> TallymanError:
    """Return the error, which must be a sentence."""
    with pytest.raises(TallymanError) as caught:
        await call
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert "told by the fake" not in text
    return caught.value


@pytest.mark.parametrize(
    ("path", "call", "reply", "error", "reason"),
    [
        (TAGS, tags, reply_error(404, "NAME_UNKNOWN"), RepositoryGone, "repository_gone"),
        (TAGS, tags, reply_error(404, "NOT_FOUND"), RequestRefused, "request_refused"),
        (TAGS, tags, Reply(404, b"404 page not found"), NotARegistry, "not_a_registry"),
        (MANIFEST, manifest, reply_error(404, "MANIFEST_UNKNOWN"), ManifestGone, "manifest_gone"),
        (MANIFEST, manifest, Reply(404, b""), NotARegistry, "not_a_registry"),
        (MANIFEST, manifest, reply_error(404, "NAME_UNKNOWN"), RequestRefused, "request_refused"),
        (CATALOG, catalog, reply_error(403, "DENIED"), CatalogForbidden, "catalog_forbidden"),
        (CATALOG, catalog, Reply(404, b""), NotARegistry, "catalog_missing"),
        (CATALOG, catalog, reply_challenge('Basic realm="r"'), CredentialsNeeded, "credentials_needed"),
        (CATALOG, catalog, reply_challenge(""), CredentialsNeeded, "sign_in_unsupported"),
        (CATALOG, catalog, HTML, NotARegistry, "not_a_registry"),
        (TAGS, tags, HTML, NotARegistry, "not_a_registry"),
        (MANIFEST, manifest, HTML, NotARegistry, "not_a_registry"),
        (TAGS, tags, Reply(body=b'{"name":"a/b","tags":["1","2'), AnswerUnusable, "answer_unusable"),
        (TAGS, tags, Reply(body=b"["), AnswerUnusable, "answer_unusable"),
        (TAGS, tags, Reply(body=b"[" * 200_000), AnswerUnusable, "answer_unusable"),
        (TAGS, tags, reply_json({"name": "a/b"}), AnswerUnusable, "answer_unusable"),
        (TAGS, tags, reply_json({"tags": "1"}), AnswerUnusable, "answer_unusable"),
        (TAGS, tags, reply_json({"tags": [1, None]}), AnswerUnusable, "answer_unusable"),
        (TAGS, tags, Reply(body=b'{"tags":["caf\xe9"]}'), BadName, "name_unusable"),
        (TAGS, tags, reply_json({"tags": ["a\u0000b"]}), BadName, "name_unusable"),
        (CATALOG, catalog, reply_json({"repositories": ["ok", "../../token"]}), BadName, "name_unusable"),
        (TAGS, tags, Reply(headers=(("Content-Encoding", "br"),)), AnswerUnusable, "answer_unusable"),
        (TAGS, tags, Reply(418), RequestRefused, "request_refused"),
        (MANIFEST, manifest, Reply(304, b""), RequestRefused, "request_refused"),
        (TAGS, tags, Reply(503), RegistryUnavailable, "registry_unavailable"),
        (TAGS, tags, Reply(408), RegistryUnavailable, "registry_unavailable"),
        (TAGS, tags, Reply(429, b""), RateLimited, "rate_limited"),
        (TAGS, tags, Reply(raw=b""), RegistryUnreachable, "connection_lost"),
        (TAGS, tags, Reply(body=b'{"tags":["1"]}', cut=5), RegistryUnreachable, "connection_lost"),
        (MANIFEST, manifest, reply_manifest(b"{}", "sha256:" + "0" * 64), DigestMismatch, "digest_mismatch"),
        (TAGS, tags, Reply(401, b"", (("WWW-Authenticate", "Negotiate"),)), CredentialsNeeded, "sign_in_unsupported"),
    ],
)
async def test_a_bad_answer_is_one_error_with_its_reason(
    hostile: HostileRegistry,
    make_client: MakeClient,
    path: str,
    call: Call,
    reply: Reply,
    error: type[TallymanError],
    reason: str,
) -> None:
    hostile.scripts[path] = reply
    caught = await error_of(call(make_client(hostile.url)))
    assert type(caught) is error
    assert caught.reason == reason
    assert hostile.url.removeprefix("http://") in str(caught)


async def test_a_body_past_its_limit_is_refused_before_it_is_read(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[MANIFEST] = reply_manifest(b"x" * 30_000_000)
    assert type(await error_of(manifest(make_client(hostile.url)))) is BodyTooLarge
    assert len(hostile.seen) == 1


async def test_a_body_that_unpacks_past_its_limit_is_refused(hostile: HostileRegistry, make_client: MakeClient) -> None:
    bomb = gzip.compress(b" " * 200_000_000, compresslevel=6)
    hostile.scripts[TAGS] = Reply(body=bomb, headers=(("Content-Encoding", "gzip"),))
    assert (await error_of(tags(make_client(hostile.url)))).reason == "body_too_large"


async def test_a_packed_body_is_unpacked_and_one_cut_off_is_refused(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    packed = gzip.compress(b'{"tags":["1"]}')
    gzipped = (("Content-Encoding", "gzip"),)
    hostile.scripts[TAGS] = [Reply(body=packed, headers=gzipped), Reply(body=packed[:-4], headers=gzipped)]
    client = make_client(hostile.url)
    assert (await client.tags("a/b")).names == ("1",)
    assert type(await error_of(tags(client))) is AnswerUnusable


async def test_a_body_that_trickles_in_ends_after_ten_read_timeouts(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = Reply(body=b" " * 1000, drip_seconds=0.05)
    started = time.monotonic()
    caught = await error_of(tags(make_client(hostile.url, read_timeout_seconds=0.1)))
    assert (type(caught), caught.reason) == (RegistryUnreachable, "timeout")
    assert time.monotonic() - started < 6


async def test_a_registry_that_is_down_is_said_to_be(make_client: MakeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    caught = await error_of(make_client(f"http://127.0.0.1:{port}").ping())
    assert (type(caught), caught.reason) == (RegistryUnreachable, "registry_unreachable")
    assert "Check that it runs" in str(caught)


async def test_an_unknown_host_name_is_said_to_be(make_client: MakeClient) -> None:
    caught = await error_of(make_client("http://registry.invalid").ping())
    assert (type(caught), caught.reason) == (RegistryUnreachable, "host_unknown")


async def test_a_429_storm_is_ridden_out_as_the_registry_asks(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    refused: list[Seen] = []

    def storm(seen: Seen) -> Reply:
        if len(refused) < 8:
            refused.append(seen)
            return Reply(429, b"", (("Retry-After", "1"),))
        return reply_json({"tags": ["1"]})

    hostile.scripts[TAGS] = storm
    client = make_client(hostile.url)
    pages = await asyncio.gather(*(client.tags("a/b") for _ in range(8)))
    assert [page.names for page in pages] == [("1",)] * 8
    first, last = refused[0].at, refused[-1].at
    assert all(seen.at - first >= 1 for seen in hostile.seen[8:])
    assert last - first < 1


async def test_a_retry_after_that_is_too_long_is_not_waited_for(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = Reply(429, b"", (("Retry-After", "3600"),))
    assert type(await error_of(tags(make_client(hostile.url)))) is RateLimited
    assert len(hostile.seen) == 1


async def test_what_fails_once_is_tried_again(hostile: HostileRegistry, make_client: MakeClient) -> None:
    good = reply_json({"tags": ["1"]})
    client = make_client(hostile.url)
    for bad in (Reply(500), Reply(408), Reply(raw=b""), Reply(body=b"12345", cut=1)):
        hostile.scripts[TAGS] = [bad, good]
        with metered() as meter:
            assert (await client.tags("a/b")).names == ("1",)
        assert meter.requests == 2


class TestPages:
    """Cursors, links and ends."""

    async def test_pages_follow_the_cursor_of_the_link_on_our_own_base(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        names = [f"r{number}/x" for number in range(7)]
        hostile.scripts["/proxied" + CATALOG] = paged("repositories", names, "http://elsewhere.invalid/v2/_catalog?")
        client = make_client(hostile.url + "/proxied", page_size=3)
        found, cursors = await all_pages(client)
        assert found == names
        assert len(cursors) == 2
        assert [seen.query.get("last") for seen in hostile.seen] == [None, ["r2/x"], ["r5/x"]]

    async def test_a_link_that_does_not_advance_is_an_error(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        hostile.scripts[CATALOG] = reply_json(
            {"repositories": ["a"]}, 200, ("Link", '</v2/_catalog?last=a&n=1>; rel="next"')
        )
        caught = await error_of(all_pages(make_client(hostile.url)))
        assert (type(caught), caught.reason) == (CursorStuck, "cursor_stuck")
        assert len(hostile.seen) == 2

    async def test_pages_without_end_are_an_error(self, hostile: HostileRegistry, make_client: MakeClient) -> None:
        def endless(seen: Seen) -> Reply:
            number = int(seen.query.get("last", ["0"])[0]) + 1
            return reply_json({"repositories": [str(number)]}, 200, ("Link", f'<?last={number}>; rel="next"'))

        hostile.scripts[CATALOG] = endless
        caught = await error_of(all_pages(make_client(hostile.url)))
        assert (type(caught), caught.reason) == (CursorStuck, "pages_endless")
        assert len(hostile.seen) == 20

    async def test_a_link_that_cannot_be_read_is_an_error(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        hostile.scripts[CATALOG] = reply_json({"repositories": ["a"]}, 200, ("Link", "next please"))
        assert (await error_of(catalog(make_client(hostile.url)))).reason == "link_unreadable"

    async def test_a_page_size_that_is_refused_is_halved_and_remembered(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        def picky(seen: Seen) -> Reply:
            if int(seen.query["n"][0]) > 1000:
                return reply_error(400, "PAGINATION_NUMBER_INVALID")
            return reply_json({"repositories": ["a"], "tags": ["1"]})

        hostile.scripts[CATALOG] = hostile.scripts[TAGS] = picky
        client = make_client(hostile.url, page_size=4000)
        assert (await client.catalog()).names == ("a",)
        assert (await client.tags("a/b")).names == ("1",)
        assert [seen.query["n"] for seen in hostile.seen] == [["4000"], ["2000"], ["1000"], ["1000"]]

    async def test_an_empty_page_after_the_last_entry_is_the_end(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        answers = {
            None: reply_json({"tags": ["1", "2"]}, 200, ("Link", '<?last=2&n=2>; rel="next"')),
            "2": reply_json({"tags": []}),
            "1": reply_json({"tags": ["2"]}),
        }
        hostile.scripts[TAGS] = lambda seen: answers[seen.query.get("last", [None])[0]]
        client = make_client(hostile.url, page_size=2)
        first = await client.tags("a/b")
        last = await client.tags("a/b", first.cursor)
        assert (last.names, last.cursor) == ((), None)

    async def test_an_empty_page_after_an_entry_that_is_gone_is_a_lost_cursor(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        answers = {
            None: reply_json({"tags": ["1", "2"]}, 200, ("Link", '<?last=2&n=2>; rel="next"')),
            "2": reply_json({"tags": []}),
            "1": reply_json({"tags": ["3", "4"]}),
        }
        hostile.scripts[TAGS] = lambda seen: answers[seen.query.get("last", [None])[0]]
        client = make_client(hostile.url, page_size=2)
        first = await client.tags("a/b")
        assert type(await error_of(client.tags("a/b", first.cursor))) is CursorLost

    @pytest.mark.parametrize("reply", [reply_error(400, "INVALID"), reply_error(404, "NAME_UNKNOWN")])
    async def test_a_cursor_the_registry_does_not_know_any_more_is_lost(
        self, hostile: HostileRegistry, make_client: MakeClient, reply: Reply
    ) -> None:
        hostile.scripts[TAGS] = [reply_json({"tags": ["1"]}, 200, ("Link", '<?last=1>; rel="next"')), reply]
        client = make_client(hostile.url)
        first = await client.tags("a/b")
        assert type(await error_of(client.tags("a/b", first.cursor))) is CursorLost

    async def test_no_tags_may_be_told_as_null_or_as_an_empty_list(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        hostile.scripts[TAGS] = [reply_json({"tags": None}), reply_json({"tags": []})]
        client = make_client(hostile.url)
        assert [(await client.tags("a/b")).names for _ in range(2)] == [(), ()]


class TestManifests:
    """Bytes and digests."""

    async def test_a_manifest_is_named_by_the_digest_of_its_bytes(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        hostile.scripts[MANIFEST] = Reply(body=b'{"a":1}', headers=(("Content-Type", "application/x; charset=utf-8"),))
        fetched = await make_client(hostile.url).manifest("a/b", "1.0")
        assert fetched == FetchedManifest(Digest.of(b'{"a":1}'), "application/x", b'{"a":1}')
        accept = hostile.seen[0].headers["accept"]
        assert all(kind in accept for kind in ("image.index", "image.manifest", "manifest.list", "manifest.v2", "v1+"))
        assert hostile.seen[0].headers["accept-encoding"] == "identity"

    async def test_a_manifest_asked_by_digest_must_have_that_digest(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        hostile.scripts[f"/v2/a/b/manifests/{DIGEST}"] = [Reply(body=b"{}"), Reply(body=b"{ }")]
        client = make_client(hostile.url)
        assert isinstance(await client.manifest("a/b", DIGEST), FetchedManifest)
        assert type(await error_of(client.manifest("a/b", DIGEST))) is DigestMismatch

    async def test_a_known_digest_that_still_holds_needs_no_body(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        hostile.scripts[MANIFEST] = Reply(304, b"")
        assert await make_client(hostile.url).manifest("a/b", "1.0", DIGEST) == Unchanged(DIGEST)
        assert hostile.seen[0].headers["if-none-match"] == f'"{DIGEST}"'

    async def test_a_config_must_have_its_digest(self, hostile: HostileRegistry, make_client: MakeClient) -> None:
        config = json.dumps({"architecture": "amd64"}).encode()
        hostile.scripts[f"/v2/a/b/blobs/{Digest.of(config)}"] = [Reply(body=config), Reply(body=config + b" ")]
        client = make_client(hostile.url)
        assert await client.config("a/b", Digest.of(config)) == config
        assert type(await error_of(client.config("a/b", Digest.of(config)))) is DigestMismatch

    async def test_an_odd_tag_stays_one_segment_of_the_path(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        hostile.scripts["/v2/a/b/manifests/x%2Fy%3Fz%23%25"] = reply_manifest(b"{}")
        assert isinstance(await make_client(hostile.url).manifest("a/b", "x/y?z#%"), FetchedManifest)


async def all_pages(client: RegistryClient) -> tuple[list[str], list[str]]:
    """Return all names of the catalog, and the cursors between its pages."""
    names: list[str] = []
    cursors: list[str] = []
    while True:
        page = await client.catalog(cursors[-1] if cursors else None)
        names += page.names
        if page.cursor is None:
            return names, cursors
        cursors.append(page.cursor)


def paged(field: str, names: list[str], target: str) -> Callable[[Seen], Reply]:
    """Return a script that pages as Distribution does, its links leading to `target`."""

    def page(seen: Seen) -> Reply:
        size = int(seen.query["n"][0])
        start = names.index(seen.query["last"][0]) + 1 if "last" in seen.query else 0
        shown = names[start : start + size]
        more = start + size < len(names)
        link = (("Link", f'<{target}last={shown[-1].replace("/", "%2F")}&n={size}>; rel="next"'),) if more else ()
        return reply_json({field: shown}, 200, *link)

    return page
