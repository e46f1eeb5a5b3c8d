"""The one-process form: broker, store, and all four stages, on embedded defaults or on servers."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

from services.lister.progress import progress_heard
from services.lister.schedule import keep_schedule
from services.lister.stage import lister_stage
from services.lister.window import Window
from services.manifester.stage import manifester_stage
from services.opening import Opened, number_above_store, open_store, opened
from services.scan_requests import ScanRequests
from services.sink.service import run_sink
from services.sweeps import Stretches
from services.tagger.stage import tagger_stage
from shared.messages.topics import STAGES, WITH_DEAD_LETTERS
from shared.pipeline.broker import EmbeddedBroker
from shared.pipeline.data_lock import DataLock
from shared.pipeline.stage import PACE, Pace, StageStats
from shared.pipeline.worker import run_stage
from shared.settings import Settings
from shared.store.store import Store

_DRAIN_SECONDS: Final = 5.0
"""Unless set: a person waits for the stop, and what is not drained by then is worked at the next start."""


@dataclass(frozen=True)
class System:
    """The whole of Tallyman in one process.  settings: with the broker's address in them, embedded or not."""

    settings: Settings
    installation: Opened
    store: Store
    stats: dict[str, StageStats] = field(default_factory=lambda: {name: StageStats() for name in STAGES})


@asynccontextmanager
async def running_broker(settings: Settings) -> AsyncIterator[Settings]:
    """Yield the settings with a broker's address: the one that is set, else that of the embedded broker."""
    if settings.kafka is not None:
        yield settings
        return
    broker = EmbeddedBroker(settings.data)
    address = await broker.start()
    try:
        yield settings.model_copy(update={"kafka": address})
    finally:
        await broker.stop()


@asynccontextmanager
async def open_system(settings: Settings) -> AsyncIterator[System]:
    """Yield an open installation: topics and schema made and checked. No stage runs yet."""
    async with AsyncExitStack() as stack:
        if settings.clickhouse is None:
            stack.enter_context(DataLock(settings.data))
        if "drain_seconds" not in settings.model_fields_set:
            settings = settings.model_copy(update={"drain_seconds": _DRAIN_SECONDS})
        settings = await stack.enter_async_context(running_broker(settings))
        installation = await stack.enter_async_context(opened(settings, *WITH_DEAD_LETTERS, service="tallyman"))
        store = await stack.enter_async_context(open_store(settings))
        await number_above_store(installation, store)
        yield System(settings, installation, store)


async def run_stages(system: System, stop: asyncio.Event, *, triggers: bool = False, pace: Pace = PACE) -> None:
    """Run the four stages until `stop`. Raises what ends one of them, after the others were stopped.

    triggers: run the trigger, too; a single load needs none: what it finds is triggered when it runs the next time.
    pace: of the lister, the tagger and the manifester.
    """
    settings = system.settings
    access = system.installation.access
    window = Window(time.monotonic, settings.stall_seconds)
    stats = system.stats
    lister = lister_stage(access, window, settings, _now, _fresh_id)
    tagger = tagger_stage(access, _fresh_id)
    manifester = manifester_stage(access, system.store, _now)
    requests = ScanRequests(settings, system.installation.topic, system.store)
    known, owned = system.installation.connections.now, stats["lister"].partitions
    async with progress_heard(settings, window.hear, stop):
        await _first_failure(
            run_stage(lister, settings, stop, stats=stats["lister"], pace=pace),
            run_stage(tagger, settings, stop, stats=stats["tagger"], pace=pace),
            run_stage(manifester, settings, stop, stats=stats["manifester"], pace=pace),
            keep_schedule(known, requests, Stretches(system.store), owned, settings.partitions, _now, stop),
            run_sink(settings, system.store, system.installation.connections, stop),
            *((_run_trigger(system, stop),) if triggers else ()),
        )


async def _run_trigger(system: System, stop: asyncio.Event) -> None:
    from services.trigger.service import run_trigger  # Faust takes a second to import

    await run_trigger(system.settings, system.installation.connections, system.installation.secrets, stop)


async def _first_failure(*works: Coroutine[Any, Any, None]) -> None:
    """Run all side by side until they return; when one raises, cancel the others and raise it."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _fresh_id() -> str:
    return token_hex(8)


def _now() -> datetime:
    return datetime.now(UTC)
