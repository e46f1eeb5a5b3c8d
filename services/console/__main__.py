"""Runs the console alone: settings, then clients, then the server."""

import asyncio
import sys

from services.console.service import console_served, office_of
from services.opening import open_store, opened
from shared.observability.heartbeat import beating
from shared.observability.logs import Log, configure_logs
from shared.pipeline.process import run_process
from shared.settings import load_settings

NAME = "console"


async def run(stop: asyncio.Event) -> None:
    """Serve until `stop`."""
    settings = load_settings()
    configure_logs(settings.log_level)
    async with (
        beating(settings.heartbeat),
        opened(settings, service=NAME) as ready,
        open_store(settings) as store,
        console_served(office_of(ready, store, {})) as (address, made),
    ):
        Log(NAME).info("console serving", address=address.url)
        if made:
            sys.stderr.write(f"The console's password, shown this once: {made}\n")
        await stop.wait()


if __name__ == "__main__":
    sys.exit(run_process(run))
