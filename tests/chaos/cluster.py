"""All that can die: services as processes, the broker, ClickHouse. What died is started again."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.messages.topics import STAGES
from shared.pipeline.broker import EmbeddedBroker
from shared.settings import Settings
from tests.e2e.service_processes import environment_of, stopped
from tests.support.clickhouse import ClickHouse, free_port, start_server

PARTITIONS: Final = 8
TRIGGER: Final = "trigger"
SERVICES: Final = (*STAGES, TRIGGER)
_RESTART_SECONDS: Final = 0.3
HASTY: Final = {"TALLYMAN_STALL_SECONDS": "90", "TALLYMAN_DRAIN_SECONDS": "3"}
"""Where much is killed nobody waits long."""


class ClickHouseServer:
    """A server that is killed and started again on its port, with its data."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder: Final = folder
        self._port: Final = free_port()
        self._process: subprocess.Popen[bytes] = start_server(folder, self._port)

    @property
    def at(self) -> ClickHouse:
        return ClickHouse(f"http://127.0.0.1:{self._port}")

    @property
    def pid(self) -> int:
        return self._process.pid

    async def kill(self) -> int:
        """Kill it, start it again, and return once it answers; the process that was killed."""
        dead = self._process
        self.end()
        self._process = await asyncio.to_thread(start_server, self._folder, self._port)
        return dead.pid

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


@dataclass
class Cluster:
    """A running installation.  restarts: how often a service was started again.  started: processes so far."""

    settings: Settings
    environment: Mapping[str, str]
    broker: EmbeddedBroker
    store: ClickHouseServer
    logs: Path
    running: dict[str, Process] = field(default_factory=dict)
    keepers: list[asyncio.Task[None]] = field(default_factory=list)
    restarts: int = 0
    started: int = 0

    async def keep(self, stage: str) -> None:
        """Run a stage, and start it again whenever it ends, until cancelled."""
        while True:
            process = self.running[stage] = await self.start(stage)
            await process.wait()
            self.restarts += 1
            await asyncio.sleep(_RESTART_SECONDS)

    async def start(self, stage: str) -> Process:
        """Start one process of a stage. A trigger has a folder of its own: its table comes from Kafka each time."""
        self.started += 1
        own = {"TALLYMAN_TRIGGER_DATA": str(self.settings.data / f"trigger-{self.started}")}
        with (self.logs / f"service-{stage}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"services.{stage}"),
                env={**os.environ, **self.environment, **own},
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill_stage(self, stage: str) -> int | None:
        """Kill the process of a stage at once; return it, None where it does not run at this moment."""
        process = self.running.get(stage)
        if process is None or process.returncode is not None:
            return None
        process.send_signal(signal.SIGKILL)
        return process.pid

    def kill_broker(self) -> int | None:
        """Kill the broker; it is started again by itself."""
        pid = self.broker.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return pid

    async def stop(self) -> None:
        for keeper in self.keepers:
            keeper.cancel()
        await asyncio.gather(*self.keepers, return_exceptions=True)
        await asyncio.gather(*map(stopped, self.running.values()))


@asynccontextmanager
async def running_cluster(folder: Path, logs: Path) -> AsyncIterator[Cluster]:
    """Run a broker, a ClickHouse and one process of each stage until the block ends."""
    broker = EmbeddedBroker(folder / "broker")
    kafka = await broker.start()
    store = ClickHouseServer(folder / "clickhouse")
    try:
        settings = store.at.settings(
            kafka=kafka, partitions=PARTITIONS, data=folder / "unused", topic_prefix=f"chaos-{secrets.token_hex(3)}."
        )
        environment = {**environment_of(settings), **HASTY, "TALLYMAN_TRIGGERS_PER_SECOND": "100"}
        cluster = Cluster(settings, environment, broker, store, logs)
        cluster.keepers = [asyncio.create_task(cluster.keep(stage), name=stage) for stage in SERVICES]
        try:
            yield cluster
        finally:
            await cluster.stop()
    finally:
        store.end()
        await broker.stop()
