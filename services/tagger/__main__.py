"""Runs the tagger alone: settings, then clients, then the stage."""

import asyncio
import sys
from secrets import token_hex

from services.opening import opened
from services.tagger.stage import NAME, tagger_stage
from shared.observability.observed import observed
from shared.pipeline.process import run_process
from shared.pipeline.worker import run_stage
from shared.settings import load_settings


async def run(stop: asyncio.Event) -> None:
    """Work repositories until `stop`."""
    settings = load_settings()
    async with observed(settings, NAME), opened(settings, NAME) as ready:
        await run_stage(tagger_stage(ready.access, lambda: token_hex(8)), settings, stop)


if __name__ == "__main__":
    sys.exit(run_process(run))
