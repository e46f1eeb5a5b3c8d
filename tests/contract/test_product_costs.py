"""The README's table of costs is the measured file, and the file is whole; what goes wrong in measuring is said."""

import asyncio
import json

import pytest

from benchmarks.product_costs import JSON, README, table, while_running
from benchmarks.products import GOALS, CostUnknown, ProductCost


def test_the_readme_shows_the_measured_costs_of_every_product() -> None:
    costs = {name: ProductCost(**cost) for name, cost in json.loads(JSON.read_text()).items()}
    assert list(costs) == list(GOALS)
    assert "\n".join(table(costs)) in README.read_text()


@pytest.mark.parametrize(
    ("ends_with", "raised"), [(ZeroDivisionError("planted"), ZeroDivisionError), (None, CostUnknown)]
)
async def test_stages_that_end_before_the_load_end_it_with_their_error(
    ends_with: Exception | None, raised: type[Exception]
) -> None:
    loading = asyncio.Event()

    async def stages() -> None:
        await loading.wait()
        if ends_with:
            raise ends_with

    async def load() -> None:
        loading.set()
        await asyncio.Event().wait()

    with pytest.raises(raised, match="planted" if ends_with else "The stages ended before the load did"):
        await while_running(asyncio.create_task(stages()), load())
