"""The four stages in one process, on the broker and the ClickHouse of its environment, until it is stopped.

What `benchmarks.short_loads` compares with: `python -m benchmarks.one_process`.
"""

import asyncio
import sys

from shared.observability.logs import configure_logs
from shared.pipeline.process import run_process
from shared.settings import load_settings
from tallyman.system import open_system, run_stages


async def run(stop: asyncio.Event) -> None:
    """Run the stages until `stop`."""
    configure_logs("warning")
    async with open_system(load_settings()) as system:
        await run_stages(system, stop)


if __name__ == "__main__":
    sys.exit(run_process(run))
