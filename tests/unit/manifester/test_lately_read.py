"""Configs are read once."""

import asyncio

from services.manifester.lately_read import LatelyRead
from shared.errors import PermanentError
from shared.oci.config import ParsedConfig
from shared.oci.digest import Digest
from shared.oci.platform import Platform

A, B, C = (Digest.of(name) for name in (b"a", b"b", b"c"))
CONFIG = ParsedConfig(Platform(os="linux", architecture="arm64"), None)


class Reads:
    """Reads as often as it is asked to; the first reads fail as told."""

    def __init__(self, *failures: Exception) -> None:
        self.count = 0
        self.failures = list(failures)
        self.go = asyncio.Event()

    async def __call__(self) -> ParsedConfig:
        self.count += 1
        await self.go.wait()
        if self.failures:
            raise self.failures.pop(0)
        return CONFIG


async def test_whoever_asks_meanwhile_gets_what_the_first_has_read() -> None:
    cache, read = LatelyRead[Digest, ParsedConfig](), Reads()
    asking = [asyncio.create_task(cache.read_once("r", A, read)) for _ in range(5)]
    await asyncio.sleep(0)
    read.go.set()
    assert await asyncio.gather(*asking) == [CONFIG] * 5
    assert read.count == 1
    assert await cache.read_once("r", A, read) == CONFIG
    assert read.count == 1


async def test_a_failure_is_its_callers_alone() -> None:
    cache, read = LatelyRead[Digest, ParsedConfig](), Reads(PermanentError("No.", reason="no"))
    asking = [asyncio.create_task(cache.read_once("r", A, read)) for _ in range(3)]
    read.go.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [isinstance(outcome, PermanentError) for outcome in outcomes] == [True, False, False]
    assert read.count == 2


async def test_when_the_one_who_reads_is_cancelled_the_next_reads() -> None:
    cache, read = LatelyRead[Digest, ParsedConfig](), Reads()
    first, second = (asyncio.create_task(cache.read_once("r", A, read)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    read.go.set()
    assert await second == CONFIG
    assert read.count == 2


async def test_registries_share_nothing() -> None:
    cache, read = LatelyRead[Digest, ParsedConfig](), Reads()
    read.go.set()
    await cache.read_once("r", A, read)
    assert cache.known("other", [A]) == {}


def test_the_least_lately_used_goes_first() -> None:
    cache = LatelyRead[Digest, ParsedConfig](most_kept=2)
    cache.keep("r", {A: CONFIG, B: CONFIG})
    assert cache.known("r", [A]) == {A: CONFIG}
    cache.keep("r", {C: CONFIG})
    assert set(cache.known("r", [A, B, C])) == {A, C}
