"""Runs the manifester alone: settings, then clients, then the stage."""

import asyncio
import sys
from datetime import UTC, datetime

from services.manifester.stage import NAME, manifester_stage
from services.opening import open_store, opened
from shared.observability.observed import observed
from shared.pipeline.process import run_process
from shared.pipeline.worker import run_stage
from shared.settings import load_settings


async def run(stop: asyncio.Event) -> None:
    """Work pages of tags until `stop`."""
    settings = load_settings()
    async with observed(settings, NAME), opened(settings, NAME) as ready, open_store(settings) as store:
        await run_stage(manifester_stage(ready.access, store, lambda: datetime.now(UTC)), settings, stop)


if __name__ == "__main__":
    sys.exit(run_process(run))
