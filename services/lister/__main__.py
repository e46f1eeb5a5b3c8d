"""Runs the lister alone: settings, then clients, then the stage."""

import asyncio
import sys
import time
from datetime import UTC, datetime
from secrets import token_hex

from services.lister.progress import progress_heard
from services.lister.schedule import keep_schedule
from services.lister.stage import NAME, lister_stage
from services.lister.window import Window
from services.opening import number_above_store, open_store, opened
from services.scan_requests import ScanRequests
from services.sweeps import Stretches
from shared.observability.observed import observed
from shared.pipeline.beside import beside
from shared.pipeline.process import run_process
from shared.pipeline.stage import StageStats
from shared.pipeline.worker import run_stage
from shared.settings import load_settings


async def run(stop: asyncio.Event) -> None:
    """Work scan requests until `stop`."""
    settings = load_settings()
    window = Window(time.monotonic, settings.stall_seconds)
    async with observed(settings, NAME), opened(settings, NAME) as ready, open_store(settings) as store:
        await number_above_store(ready, store)
        stage = lister_stage(ready.access, window, settings, _now, lambda: token_hex(8))
        requests, stats = ScanRequests(settings, ready.topic, store), StageStats()
        schedule = keep_schedule(
            ready.connections.now, requests, Stretches(store), stats.partitions, settings.partitions, _now, stop
        )
        async with progress_heard(settings, window.hear, stop), beside(schedule, stop):
            await run_stage(stage, settings, stop, stats=stats)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(run_process(run))
