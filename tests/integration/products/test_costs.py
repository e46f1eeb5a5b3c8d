"""What loads of each product cost, as the README's table says: counted where the requests arrive."""

import asyncio

import httpx
import pytest

from benchmarks.products import GOALS, CostUnknown, ProductCost, cost_of, counted, estate, opened
from tests.support.product_loading import Loader

TELL_PLATFORMS = ("nexus", "harbor", "gitlab")
"""Products that tell an image's architecture, so that its config is not read."""


@pytest.fixture(params=list(GOALS))
async def product_cost(request: pytest.FixtureRequest, loader: Loader) -> tuple[str, ProductCost]:
    return request.param, await cost_of(request.param, loader)


async def test_an_unchanged_load_stays_within_its_goal_and_receives_no_body(
    product_cost: tuple[str, ProductCost],
) -> None:
    product, cost = product_cost
    assert cost.second_requests_per_tag <= GOALS[product]
    assert cost.second_bodies == 0
    if product not in ("v2", "gitflic"):
        assert cost.second_manifest_gets == 0
    if product in TELL_PLATFORMS:
        assert cost.first_configs <= len(_untold_configs())


def _untold_configs() -> set[str]:
    """Configs of images of which nothing but their config tells a platform: the index that leads to them does not."""
    made = estate().manifests
    untold = [child.digest for each in made.values() for child in each.children if child.platform is None]
    return {str(made[digest].config) for digest in untold if made[digest].config}


async def test_a_load_that_did_not_read_everything_is_named_with_what_was_counted(loader: Loader) -> None:
    async with opened("gitflic") as (server, counting):
        server.desk.broken.add(server.name_of("a/b"))
        with pytest.raises(
            CostUnknown, match=r"^gitflic, first load of .*: partial, \d+ of 1000 tags .*'manifest': \d"
        ):
            await counted("gitflic, first load", server, counting, loader)


async def test_a_request_that_tallyman_does_not_know_of_is_told(loader: Loader) -> None:
    async with opened("nexus") as (server, counting):
        loading = asyncio.create_task(counted("nexus, first load", server, counting, loader))
        await asyncio.sleep(0)
        async with httpx.AsyncClient() as other:
            await other.get(f"{server.url}/v2/")
        with pytest.raises(CostUnknown, match=r"complete, 1000 of 1000 tags .* (\d+) requests sent, (?!\1)\d+ counted"):
            await loading
