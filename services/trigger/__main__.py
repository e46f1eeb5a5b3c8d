"""Runs the trigger alone: settings, then clients, then the service."""

import asyncio
import sys

from services.opening import opened
from services.trigger.guard import NAME
from services.trigger.receivers.stage import NAME as DELIVERER
from services.trigger.service import run_trigger
from shared.observability.observed import observed
from shared.pipeline.process import run_process
from shared.settings import load_settings


async def run(stop: asyncio.Event) -> None:
    """Work image events until `stop`."""
    settings = load_settings()
    async with observed(settings, NAME), opened(settings, NAME, DELIVERER) as ready:
        await run_trigger(settings, ready.connections, ready.secrets, stop)


if __name__ == "__main__":
    sys.exit(run_process(run))
