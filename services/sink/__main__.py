"""Runs the sink alone: settings, then clients, then the loop."""

import asyncio
import sys

from services.opening import open_store, opened
from services.sink.partition import STAGE
from services.sink.service import run_sink
from shared.observability.heartbeat import beating
from shared.observability.logs import configure_logs
from shared.pipeline.process import run_process
from shared.settings import load_settings


async def run(stop: asyncio.Event) -> None:
    """Work observations and progress until `stop`."""
    settings = load_settings()
    configure_logs(settings.log_level)
    async with beating(settings.heartbeat), opened(settings, STAGE) as ready, open_store(settings) as store:
        await run_sink(settings, store, ready.connections, stop)


if __name__ == "__main__":
    sys.exit(run_process(run))
