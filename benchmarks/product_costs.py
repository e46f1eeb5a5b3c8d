"""`make product-costs`: count what each product costs; write product-costs.json and the README's table."""

import asyncio
import faulthandler
import json
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from benchmarks.products import GOALS, CostUnknown, ProductCost, cost_of
from shared.observability.logs import configure_logs
from shared.pipeline.loop import run_loop
from shared.pipeline.stage import Pace
from shared.settings import load_settings
from tallyman.system import open_system, run_stages
from tests.support.product_loading import Loader

JSON: Final = Path(__file__).with_name("product-costs.json")
README: Final = Path(__file__).parents[1] / "README.md"
_BEGIN: Final = "<!-- measured: written by `make product-costs` -->"
_END: Final = "<!-- end of measured -->"

_STALL_SECONDS: Final = 3600.0
_PACE: Final = Pace(session=120.0)
"""A busy machine is no fault: a worker that had to leave its group would read again what was counted already."""

T = TypeVar("T")


async def measured() -> dict[str, ProductCost]:
    """Return the costs of all products, measured one after the other in one running Tallyman.

    Raises CostUnknown where a load did not read everything, and what ended the stages.
    """
    with TemporaryDirectory(prefix="tallyman-costs-") as folder:
        configure_logs("warning")
        async with open_system(load_settings(data=Path(folder), stall_seconds=_STALL_SECONDS)) as system:
            stop = asyncio.Event()
            stages = asyncio.create_task(run_stages(system, stop, pace=_PACE))
            costs = {}
            try:
                for product in GOALS:
                    costs[product] = await while_running(stages, cost_of(product, Loader(system)))
                    print(f"{product}: {costs[product]}", file=sys.stderr)
            finally:
                stop.set()
                await stages
            return costs


async def while_running(stages: asyncio.Task[None], work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns. Raises what ended the stages before it, or CostUnknown where they just ended."""
    working = asyncio.create_task(work)
    try:
        await asyncio.wait((working, stages), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        stages.result()
        raise CostUnknown("The stages ended before the load did.")
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


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


def main() -> None:
    """Measure and write. Exits with 1 and a sentence where the costs could not be counted."""
    faulthandler.enable()  # the store's engine is C++ in this process: a signal that ends it would say nothing
    try:
        costs = run_loop(measured())
    except CostUnknown as error:
        raise SystemExit(f"product-costs: {error}") from None
    write(costs)


if __name__ == "__main__":
    main()
