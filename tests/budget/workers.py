"""The processes whose requests are counted: three of each stage, and what may happen to them."""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.messages.topics import STAGES
from shared.pipeline.broker import EmbeddedBroker
from shared.pipeline.topics import ensure_topics
from shared.settings import Settings
from shared.store.store import Store
from tests.chaos.cluster import HASTY, ClickHouseServer
from tests.e2e.service_processes import Services, environment_of, stopped

PARTITIONS: Final = 8
EACH: Final = 3
ASKING: Final = ("lister", "tagger", "manifester")
"""The stages that send requests."""

THREE_EACH: Final = {**dict.fromkeys(ASKING, EACH), "sink": 1}
"""Processes of each service."""

STOP_SECONDS: Final = 30.0


@dataclass
class Workers:
    """A running installation."""

    settings: Settings
    services: Services
    broker: EmbeddedBroker
    store: ClickHouseServer

    async def begin(self, processes: Mapping[str, int]) -> None:
        """Start so many processes of each service."""
        await asyncio.gather(
            *(self.services.start(service, number) for service, many in processes.items() for number in range(many))
        )

    async def kill_one(self) -> None:
        await self.services.kill("manifester", 0)

    async def two_join(self) -> None:
        """Two come, one in the killed one's place: both groups are balanced anew."""
        await self.services.start("manifester", 0)
        await self.services.start("tagger", EACH)

    async def stop_three_for_a_while(self, seconds: float = STOP_SECONDS) -> None:
        """Stop one process of each stage where it stands, and let it go on after a while."""
        pids = [self.services.running[f"{stage}-1"].pid for stage in ASKING]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    async def broker_dies(self) -> None:
        """Kill the broker; it is started again by itself."""
        assert self.broker.pid is not None
        os.kill(self.broker.pid, signal.SIGKILL)


@asynccontextmanager
async def running_workers(
    folder: Path,
    logs: Path,
    *,
    partitions: int = PARTITIONS,
    processes: Mapping[str, int] = THREE_EACH,
    beside: Mapping[str, Mapping[str, str]] | None = None,
) -> AsyncIterator[Workers]:
    """Run a broker, a ClickHouse and the processes until the block ends.

    processes: of each service.  beside: further variables of a service's processes.
    """
    broker = EmbeddedBroker(folder / "broker")
    kafka = await broker.start()
    store = ClickHouseServer(folder / "clickhouse")
    try:
        settings = store.at.settings(
            kafka=kafka, partitions=partitions, data=folder / "unused", topic_prefix=f"budget-{secrets.token_hex(3)}."
        )
        await ensure_topics(settings, STAGES)
        await _migrate(settings)
        services = Services({**environment_of(settings), **HASTY}, logs, beside or {})
        workers = Workers(settings, services, broker, store)
        try:
            await workers.begin(processes)
            yield workers
        finally:
            await asyncio.gather(*map(stopped, services.running.values()))
    finally:
        store.end()
        await broker.stop()


async def _migrate(settings: Settings) -> None:
    store = await Store.open(settings)
    try:
        await store.migrate()
    finally:
        await store.close()
