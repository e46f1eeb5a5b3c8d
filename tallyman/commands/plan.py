"""`tallyman plan`: which way a registry will be read, why, and how many requests that takes."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.opening import connections_topic
from shared.errors import SettingsError
from shared.settings import Settings
from tallyman.door import Door
from tallyman.output import Format, each, print_rows
from tallyman.planning import Planned, planned
from tallyman.reading import Reads, open_reading


async def plan(settings: Settings, target: str, *, as_json: bool) -> int:
    """Print the plan for a connection; return 0. Starts no scan."""
    async with _places(settings) as (ready, reads):
        found = await planned(ready, connections_topic(ready), reads, target)
    if as_json:
        sys.stdout.write(json.dumps(found.document()) + "\n")
        return 0
    sys.stdout.write(_head(found))
    await print_rows(
        Format.TABLE,
        ("stage", "reads", "because", "requests"),
        each((s.stage, s.way, s.why, s.requests) for s in found.plan.steps),
    )
    sys.stdout.write(_foot(found))
    return 0


@asynccontextmanager
async def _places(settings: Settings) -> AsyncIterator[tuple[Settings, Reads]]:
    """Yield settings that lead to the broker, and what answers statements, without a stage at work."""
    if settings.kafka is not None:
        async with open_reading(settings) as reads:
            yield settings, reads
    elif door := await Door.find(settings.data):
        yield settings.model_copy(update={"kafka": door.kafka}), door
    elif not (settings.data / "clickhouse").is_dir():
        raise SettingsError(
            f"There is no connection in {settings.data} yet: load a registry first (tallyman load "
            "https://registry.example.com), or name the folder that has one with --data."
        )
    else:
        from tallyman.reading import Direct
        from tallyman.system import open_system  # engine and broker: seconds, where no service runs

        async with open_system(settings) as system:
            yield system.settings, Direct(system.store)


def _head(found: Planned) -> str:
    known = f"{found.size.repositories:,} repositories and {found.size.tags:,} tags"
    if found.last:
        size = f"It holds {known} as far as is known; a load of it as it is costs:"
    else:
        size = f"It was never loaded, so its size is not known. A first load of {known} would cost:"
    return f"{found.registry} ({found.host}) is read as {found.plan.product}: {found.plan.why}.\n{size}\n\n"


def _foot(found: Planned) -> str:
    text = f"\nAbout {found.plan.requests:,} requests, token requests left out."
    if found.last:
        text += f" The last scan ({found.last.scan_id}, {found.last.status}) took {found.last.requests:,}, with them."
    return text + "\n"
