"""`make product-costs`: count what each product costs; write product-costs.json and the README's table."""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.products import GOALS, ProductCost, cost_of
from shared.observability.logs import configure_logs
from shared.pipeline.loop import run_loop
from shared.settings import load_settings
from tallyman.system import open_system, run_stages
from tests.support.product_loading import Loader

JSON: Final = Path(__file__).with_name("product-costs.json")
README: Final = Path(__file__).parents[1] / "README.md"
_BEGIN: Final = "<!-- measured: written by `make product-costs` -->"
_END: Final = "<!-- end of measured -->"


async def measured() -> dict[str, ProductCost]:
    """Return the costs of all products, measured one after the other in one running Tallyman."""
    with TemporaryDirectory(prefix="tallyman-costs-") as folder:
        configure_logs("warning")
        async with open_system(load_settings(data=Path(folder))) as system:
            stop = asyncio.Event()
            stages = asyncio.create_task(run_stages(system, stop))
            costs = {}
            for product in GOALS:
                costs[product] = await cost_of(product, Loader(system))
                print(f"{product}: {costs[product]}", file=sys.stderr)
            stop.set()
            await stages
            return costs


def table(costs: dict[str, ProductCost]) -> Iterator[str]:
    """Yield the lines of the README's table."""
    titles = ("", "first load: requests a tag", "configs read", "second load: requests a tag", "at most")
    yield f"| {' | '.join((*titles, 'manifest GETs', 'bodies', 'token requests'))} |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for product, cost in costs.items():
        second, goal = cost.second_requests_per_tag, GOALS[product]
        cells = (
            product,
            f"{cost.first_requests_per_tag:.3f}",
            str(cost.first_configs),
            f"{second:.3f}" if second <= goal else f"**{second:.3f}**",
            f"{goal:g}",
            str(cost.second_manifest_gets),
            str(cost.second_bodies),
            str(cost.second_token_requests),
        )
        yield f"| {' | '.join(cells)} |"


def write(costs: dict[str, ProductCost]) -> None:
    """Write the JSON file, and the table between its marks in the README."""
    JSON.write_text(json.dumps({name: asdict(cost) for name, cost in costs.items()}, indent=2) + "\n", encoding="utf-8")
    head, rest = README.read_text(encoding="utf-8").split(_BEGIN)
    _, tail = rest.split(_END, 1)
    README.write_text(f"{head}{_BEGIN}\n\n" + "\n".join(table(costs)) + f"\n\n{_END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    write(run_loop(measured()))
