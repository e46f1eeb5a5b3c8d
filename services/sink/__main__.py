"""Runs the sink alone: settings, then clients, then the loop."""

import asyncio
import sys

from services.opening import open_store, opened
from services.sink.partition import STAGE
from services.sink.service import run_sink
from shared.observability.observed import observed
from shared.pipeline.process import run_process
from shared.settings import load_settings


async def run(stop: asyncio.Event) -> None:
    """Work observations and progress until `stop`."""
    settings = load_settings()
    async with observed(settings, STAGE), opened(settings, STAGE) as ready, open_store(settings) as store:
        await run_sink(settings, store, ready.connections, stop)


if __name__ == "__main__":
    sys.exit(run_process(run))
