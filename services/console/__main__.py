"""Runs the console alone: settings, then clients, then the server."""

import asyncio
import sys

from services.console.service import console_served, office_of
from services.opening import open_store, opened
from shared.observability.logs import log_of
from shared.observability.observed import observed
from shared.pipeline.process import run_process
from shared.settings import load_settings

NAME = "console"


async def run(stop: asyncio.Event) -> None:
    """Serve until `stop`."""
    settings = load_settings()
    async with (
        observed(settings, NAME),
        opened(settings, service=NAME) as ready,
        open_store(settings) as store,
        console_served(office_of(ready, store)) as (address, made),
    ):
        log_of(NAME).info("console serving", address=address.url)
        if made:
            sys.stderr.write(f"The console's password, shown this once: {made}\n")
        await stop.wait()


if __name__ == "__main__":
    sys.exit(run_process(run))
