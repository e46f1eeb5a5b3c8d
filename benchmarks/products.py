"""What a first and an unchanged second load of each product cost, counted where the requests arrive.

The products are contract servers (tests.fakes), plain Registry V2 a real Distribution; all are filled alike.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from benchmarks.distribution import Distribution, filled_registry
from tests.fakes.product.desk import Desk
from tests.fakes.product.registry_v2 import V2_KINDS
from tests.fakes.product.server import ProductServer
from tests.support.generator import Estate, generate
from tests.support.product_loading import Loader, servers

REPOSITORIES, TAGS = 50, 1_000
PAGE_SIZE: Final = 100
_SEED: Final = 7

GOALS: Final[Mapping[str, float]] = {
    "v2": 1.06,
    "gitflic": 1.06,
    "nexus": 0.02,
    "nexus_old": 0.12,
    "harbor": 0.06,
    "artifactory": 0.02,
    "gitlab": 0.06,
}
"""Requests a tag that an unchanged second load may cost at most, sign-in left out."""

_SIGN_IN: Final = ("token", "challenge")
"""Not counted with the others: how many requests are refused before the first token is there depends on time."""

_UNHURRIED: Final = {
    "connect_timeout_seconds": 600,
    "pool_timeout_seconds": 3600,
    "read_timeout_seconds": 3600,
    "write_timeout_seconds": 3600,
}
"""A request that were sent again because the machine is busy would be counted twice."""
_LOG_SECONDS: Final = 60.0


@dataclass(frozen=True)
class ProductCost:
    """Requests a tag, sign-in left out, and what the second load received beside.

    second_bodies: manifest and config bodies.  first_configs: config bodies of the first load.
    """

    first_requests_per_tag: float
    second_requests_per_tag: float
    second_manifest_gets: int
    second_bodies: int
    second_token_requests: int
    first_configs: int


class CostUnknown(Exception):  # says what has happened
    """A load did not read everything, or not as often as was counted: what it costs cannot be told."""


class Counting(Protocol):
    """A server that counts what it is asked since the last reset (`tests.fakes.product.desk`)."""

    def counts(self) -> Counter[str]: ...

    def reset(self) -> None: ...


@dataclass(frozen=True)
class _AccessLog:
    """Counts by a registry's access log, in the words of the contract servers."""

    registry: Distribution
    counted: Counter[str] = field(default_factory=Counter)

    def counts(self) -> Counter[str]:
        for kind, number in self.registry.requests().items():
            self.counted[_KINDS.get(kind, "api")] += number
        return self.counted.copy()

    def reset(self) -> None:
        self.registry.requests()
        self.counted.clear()


_KINDS: Final = {
    "catalog": "catalog",
    "tags": "tags",
    "manifest 200": "manifest",
    "manifest 304": "unchanged",
    "config": "config",
}


@asynccontextmanager
async def opened(product: str) -> AsyncIterator[tuple[ProductServer, Counting]]:
    """Yield a filled server of the product, and what counts its requests.

    Filling is work of seconds, on a busy machine of minutes: the loop, and the stages on it, go on meanwhile.
    """
    if product == "v2":
        with ExitStack() as stack:
            registry = await asyncio.to_thread(stack.enter_context, filled_registry(REPOSITORIES, TAGS))
            filled = await asyncio.to_thread(generate, _SEED, REPOSITORIES, TAGS)
            server = ProductServer(registry.url, Desk(), filled, {"type": "v2"}, username=None, password=None)
            yield server, _AccessLog(registry)
        return
    async with servers()[product](await asyncio.to_thread(estate)) as server:
        yield server, server.desk


def estate() -> Estate:
    """What the contract servers are filled with."""
    return generate(_SEED, REPOSITORIES, TAGS, V2_KINDS)


async def cost_of(product: str, loader: Loader) -> ProductCost:
    """Return what two loads of the product cost. Raises CostUnknown where one of them did not read everything."""
    async with opened(product) as (server, counting):
        first = await counted(f"{product}, first load", server, counting, loader)
        second = await counted(f"{product}, second load", server, counting, loader)
    return ProductCost(
        first_requests_per_tag=_a_tag(first),
        second_requests_per_tag=_a_tag(second),
        second_manifest_gets=second["manifest"] + second["unchanged"],
        second_bodies=second["manifest"] + second["config"],
        second_token_requests=second["token"],
        first_configs=first["config"],
    )


async def counted(which: str, server: ProductServer, counting: Counting, loader: Loader) -> Counter[str]:
    """Return the requests of one load by their kinds.

    which: the load, for people.  Raises CostUnknown.
    """
    print(f"{which} …", file=sys.stderr)
    counting.reset()
    outcome = await loader.load(server, page_size=PAGE_SIZE, **_UNHURRIED)
    loaded = outcome.loaded
    counts = await _settled(counting, loaded.requests)
    if (loaded.status, loaded.tags, loaded.requests) != ("complete", TAGS, counts.total()):
        raise CostUnknown(
            f"{which} of {server.url}: {loaded.status}, {loaded.tags} of {TAGS} tags read in {loaded.seconds:.0f} s; "
            f"{loaded.requests} requests sent, {counts.total()} counted where they arrive: {dict(counts)}. "
            + " ".join(outcome.failures)
        )
    return counts


async def _settled(counting: Counting, sent: int) -> Counter[str]:
    """Return the counts once all that was sent is among them: an access log has a line only after its answer."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _LOG_SECONDS
    while (counts := counting.counts()).total() < sent and clock() < deadline:  # noqa: ASYNC110  # a log tells nobody
        await asyncio.sleep(0.05)
    return counts


def _a_tag(counts: Counter[str]) -> float:
    return round((counts.total() - sum(counts[kind] for kind in _SIGN_IN)) / TAGS, 4)
