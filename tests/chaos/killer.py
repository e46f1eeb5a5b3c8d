"""Kills at random moments of a scan: a stage, the broker, ClickHouse; or lets a worker come and go."""

import asyncio
import signal
import time
from collections.abc import Callable
from random import Random
from typing import Any, Final

from tests.chaos.cluster import SERVICES, Cluster

Line = dict[str, Any]

BROKER: Final = "broker"
STORE: Final = "clickhouse"
STORM: Final = "worker that came and went"
_TARGETS: Final = (*SERVICES, "sink", BROKER, STORE, STORM)
_CAME_SECONDS: Final = (1.5, 3.5)
"""How long a worker that comes stays: it has joined its group by then, or is about to."""


class Killer:
    """Kills within scans.  kills: what was killed, each a line."""

    def __init__(self, cluster: Cluster, random: Random, tell: Callable[[Line], None]) -> None:
        self._cluster: Final = cluster
        self._random: Final = random
        self._tell: Final = tell
        self._begun: Final = time.monotonic()
        self.kills: Final[list[Line]] = []
        self._restarting: asyncio.Task[int] | None = None

    async def kill_within(self, scan: int, number: int, is_running: Callable[[], bool], seconds: float) -> None:
        """Kill so many things at random moments of the next `seconds`, as long as the scan runs."""
        moments = sorted(self._random.uniform(0.2, seconds) for _ in range(number))
        begun = time.monotonic()
        for moment in moments:
            await asyncio.sleep(max(0.0, begun + moment - time.monotonic()))
            if not is_running():
                return
            await self._kill(scan, self._random.choice(_TARGETS))

    async def settled(self) -> None:
        """Wait until what was killed last runs again."""
        if self._restarting is not None:
            await self._restarting

    async def _kill(self, scan: int, target: str) -> None:
        at = round(time.monotonic() - self._begun, 3)
        if target == STORM:
            pid = await self._come_and_go()
        elif target == BROKER:
            pid = self._cluster.kill_broker()
        elif target == STORE:
            await self.settled()
            self._restarting = asyncio.create_task(self._cluster.store.kill())
            pid = 0
        else:
            pid = self._cluster.kill_stage(target)
        if pid is not None:
            line = {"at": at, "scan": scan, "target": target, "pid": pid}
            self.kills.append(line)
            self._tell(line)

    async def _come_and_go(self) -> int:
        """Let one more worker of a stage come, and kill it a while later."""
        process = await self._cluster.start(self._random.choice(SERVICES))
        await asyncio.sleep(self._random.uniform(*_CAME_SECONDS))
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()
        return process.pid
