"""How a registry is asked for a known tag: found out by one, remembered for all."""

import asyncio

import httpx
import pytest

from shared.oci.digest import Digest
from shared.registry.answer import Answer
from shared.registry.conditional import Condition, Way, head_digest
from shared.registry.wire.headers import Headers

DIGEST = Digest.of(b"x")


async def way_of(condition: Condition) -> Way:
    async with condition.way() as way:
        return way


async def test_what_is_not_honoured_is_not_asked_again() -> None:
    condition = Condition()
    assert await way_of(condition) is Way.IF_NONE_MATCH
    condition.not_honoured(Way.IF_NONE_MATCH)
    assert await way_of(condition) is Way.HEAD
    condition.not_honoured(Way.HEAD)
    assert await way_of(condition) is Way.PLAIN


async def test_who_was_under_way_the_same_way_finds_out_nothing_new() -> None:
    condition = Condition()
    condition.not_honoured(Way.IF_NONE_MATCH)
    condition.not_honoured(Way.IF_NONE_MATCH)
    assert await way_of(condition) is Way.HEAD


async def test_the_first_goes_alone_and_those_after_it_side_by_side() -> None:
    condition, under_way, most = Condition(), 0, []

    async def ask() -> None:
        nonlocal under_way
        async with condition.way():
            under_way += 1
            most.append(under_way)
            await asyncio.sleep(0)
            under_way -= 1

    await asyncio.gather(*(ask() for _ in range(5)))
    assert most[0] == 1
    assert max(most) > 1


@pytest.mark.parametrize(
    ("headers", "digest"),
    [
        ({"Docker-Content-Digest": str(DIGEST)}, DIGEST),
        ({"X-Checksum-Sha256": DIGEST.hex}, DIGEST),
        ({"Docker-Content-Digest": "sha512:abc"}, None),
        ({"X-Checksum-Sha256": "no digest"}, None),
        ({}, None),
    ],
)
def test_a_digest_is_read_from_either_header(headers: dict[str, str], digest: Digest | None) -> None:
    answer = Answer(httpx.URL("https://registry.test/v2/"), 200, Headers(headers), b"")
    assert head_digest(answer) == digest


@pytest.mark.parametrize(
    ("etag", "unless", "way"),
    [
        (f'"{DIGEST}"', None, Way.IF_NONE_MATCH),
        (f'W/"{DIGEST}"', None, Way.IF_NONE_MATCH),
        ('"another"', None, Way.HEAD),
        ("", None, Way.HEAD),
        (f'"{DIGEST}"', Digest.of(b"another"), Way.IF_NONE_MATCH),
        (f'"{DIGEST}"', DIGEST, Way.HEAD),
    ],
)
async def test_an_answer_with_a_body_tells_whether_a_condition_would_have_spared_it(
    etag: str, unless: Digest | None, way: Way
) -> None:
    condition = Condition()
    headers = Headers({"ETag": etag} if etag else {})
    condition.learn(Answer(httpx.URL("https://registry.test/v2/"), 200, headers, b"x"), DIGEST, unless)
    assert await way_of(condition) is way
