"""Tallyman as a subject: the one-process form on a fresh data folder, each job a load through the whole pipeline.

`python -m benchmarks.loads URL CONNECTIONS`. The first job is a first load, those after it unchanged ones.
"""

import asyncio
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.jobs import Told, serve, taken_orders
from services.opening import connections_topic
from shared.connections.rules import ConnectionSettings
from shared.observability.logs import configure_logs
from shared.pipeline.loop import run_loop
from shared.settings import load_settings
from tallyman.following import ScanSeen
from tallyman.loading import load
from tallyman.system import System, open_system, run_stages

_UNLIMITED_RPS: Final = 100_000
_STATE: Final = ("images", "tags", "tag_history", "index_children")
"""Tables whose rows carry the scan that wrote them as their version."""


async def main(url: str, connections: int) -> None:
    """Serve loads of the registry at `url`."""
    orders = taken_orders()
    wanted = ConnectionSettings(
        max_connections=connections, max_keepalive_connections=connections, max_rps=_UNLIMITED_RPS, page_size=1000
    )
    with TemporaryDirectory(prefix="tallyman-bench-") as folder:
        settings = load_settings(data=Path(folder))
        configure_logs("warning")
        async with open_system(settings) as system:
            stop = asyncio.Event()
            stages = asyncio.create_task(run_stages(system, stop))
            try:
                await serve(orders, lambda: _load(system, url, wanted))
            finally:
                stop.set()
                with suppress(asyncio.CancelledError):
                    await stages


async def _load(system: System, url: str, wanted: ConnectionSettings) -> Told:
    outcome = await load(
        system.settings, connections_topic(system.settings), url, wanted, allow_empty=False, tell=_unseen
    )
    rows = await _state_rows(system, int(outcome.loaded.scan_id))
    return {**asdict(outcome.loaded), "state_rows": rows, "why": outcome.failures[:3]}


def _unseen(_: ScanSeen, __: float) -> None:
    """Show no progress: nobody watches."""


async def _state_rows(system: System, scan: int) -> int:
    """Return how many rows of state the scan wrote, the listings' own left out."""
    counts = " + ".join(f"(SELECT count() FROM {table} WHERE version = {scan})" for table in _STATE)
    async with system.store.select(f"SELECT {counts}") as answer:
        return sum([int(count) async for (count,) in answer.rows])


if __name__ == "__main__":
    run_loop(main(sys.argv[1], int(sys.argv[2])))
