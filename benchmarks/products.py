"""What a first and an unchanged second load of each product cost, counted where the requests arrive.

The products are contract servers (tests.fakes), plain Registry V2 a real Distribution; all are filled alike.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
"""Requests a tag that an unchanged second load may cost at most, token requests left out."""


@dataclass(frozen=True)
class ProductCost:
    """Requests a tag, token requests left out, and what the second load received beside.

    second_bodies: manifest and config bodies.  first_configs: config bodies of the first load.
    """

    first_requests_per_tag: float
    second_requests_per_tag: float
    second_manifest_gets: int
    second_bodies: int
    second_token_requests: int
    first_configs: int


class Counting(Protocol):
    """A server that counts what it is asked (`tests.fakes.product.desk`)."""

    def counts(self) -> Counter[str]: ...

    def reset(self) -> None: ...


@dataclass(frozen=True)
class _AccessLog:
    """Counts by a registry's access log, in the words of the contract servers."""

    registry: Distribution

    def counts(self) -> Counter[str]:
        told = self.registry.requests()
        return Counter({_KINDS.get(kind, "api"): number for kind, number in told.items()})

    def reset(self) -> None:
        self.registry.requests()


_KINDS: Final = {
    "catalog": "catalog",
    "tags": "tags",
    "manifest 200": "manifest",
    "manifest 304": "unchanged",
    "config": "config",
}


@asynccontextmanager
async def opened(product: str) -> AsyncIterator[tuple[ProductServer, Counting]]:
    """Yield a filled server of the product, and what counts its requests."""
    if product == "v2":
        with filled_registry(REPOSITORIES, TAGS) as registry:
            filled = generate(_SEED, REPOSITORIES, TAGS)
            server = ProductServer(registry.url, Desk(), filled, {"type": "v2"}, username=None, password=None)
            yield server, _AccessLog(registry)
        return
    async with servers()[product](estate()) as server:
        yield server, server.desk


def estate() -> Estate:
    """What the contract servers are filled with."""
    return generate(_SEED, REPOSITORIES, TAGS, V2_KINDS)


async def cost_of(product: str, loader: Loader) -> ProductCost:
    """Return what two loads of the product cost. Raises RuntimeError where one of them did not read everything."""
    async with opened(product) as (server, counting):
        first = await _counted(server, counting, loader)
        second = await _counted(server, counting, loader)
    return ProductCost(
        first_requests_per_tag=_a_tag(first),
        second_requests_per_tag=_a_tag(second),
        second_manifest_gets=second["manifest"] + second["unchanged"],
        second_bodies=second["manifest"] + second["config"],
        second_token_requests=second["token"],
        first_configs=first["config"],
    )


async def _counted(server: ProductServer, counting: Counting, loader: Loader) -> Counter[str]:
    counting.reset()
    outcome = await loader.load(server, page_size=PAGE_SIZE)
    if outcome.loaded.status != "complete" or outcome.loaded.tags != TAGS:
        raise RuntimeError(f"{server.url}: {outcome}")
    return counting.counts()


def _a_tag(counts: Counter[str]) -> float:
    return round((counts.total() - counts["token"]) / TAGS, 4)
