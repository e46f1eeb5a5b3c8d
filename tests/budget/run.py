"""The phases of a proof: registries with limits, a load of each, and what happens meanwhile."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from services.opening import connections_topic
from services.scan_requests import ScanRequests, Wanted
from shared.connections.rules import ConnectionSettings
from shared.connections.writer import Saved, delete, ensure_connection
from shared.store.store import Store
from tests.budget.workers import PARTITIONS, Workers, running_workers
from tests.fakes.counting_content import Content
from tests.fakes.counting_registry import CountingServer, Line

_RAMP_SECONDS: Final = 15.0
"""From the first request until all stages have work."""

_FIRST_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.2
_SHORT: Final = Content(repositories=30, tags=15)
"""Of a short load: nine seconds of requests at 50 a second."""

_QUIET_SECONDS: Final = 3.0
"""Between two phases; what is still under way ends, and belongs to the registry it was sent to."""


@dataclass(frozen=True)
class Limits:
    """A registry of a phase."""

    max_rps: int
    max_connections: int


@dataclass(frozen=True)
class Phase:
    """seconds: measured.  happens: faults, while it is measured.

    loads: instead of a long one, so many short ones of each registry, one after another, are measured as wholes.
    """

    name: str
    registries: Sequence[Limits]
    seconds: float
    happens: Callable[[Workers], Awaitable[None]] | None = None
    loads: int = 0


async def all_faults(workers: Workers) -> None:
    """Let everything happen once, a while between."""
    await asyncio.sleep(5)
    await workers.kill_one()
    await asyncio.sleep(10)
    await workers.two_join()
    await asyncio.sleep(15)
    await workers.stop_three_for_a_while()
    await asyncio.sleep(15)
    await workers.broker_dies()
    await asyncio.sleep(40)


WHOLE: Final = (
    Phase("alone", [Limits(400, 24)], 40),
    Phase("three", [Limits(1, 4), Limits(10, 6), Limits(100, 12)], 185),
    Phase("short", [Limits(50, 16)], 120, loads=6),
    Phase("twenty", [Limits(10, 9)] * 20, 60),
    Phase("faults", [Limits(1, 4), Limits(10, 6), Limits(100, 12), Limits(400, 24)], 130, all_faults),
)


async def run(phases: Sequence[Phase], folder: Path, logs: Path) -> Path:
    """Run the phases and return the raw log."""
    path = logs / "arrivals.jsonl"
    with path.open("w") as log:
        async with running_workers(folder, logs) as workers:
            store = await Store.open(workers.settings)
            try:
                for phase in phases:
                    print(f"{phase.name}: {len(phase.registries)} registries, {phase.seconds:.0f} s", flush=True)
                    await _Play(phase, workers, store, log).run()
            finally:
                await store.close()
    return path


class _Play:
    """One phase."""

    def __init__(self, phase: Phase, workers: Workers, store: Store, log: TextIOWrapper) -> None:
        self._phase: Final = phase
        self._workers: Final = workers
        self._topic: Final = connections_topic(workers.settings)
        self._requests: Final = ScanRequests(workers.settings, self._topic, store)
        self._log: Final = log
        self._store: Final = store
        self._requested: Final[list[int]] = []
        """When requests came since the last load began."""

    async def run(self) -> None:
        servers = [self._server(number, limits) for number, limits in enumerate(self._phase.registries)]
        try:
            saved = [await self._connect(server, limits) for server, limits in self._pairs(servers)]
            if self._phase.loads:
                await asyncio.gather(*map(self._short_loads, servers, saved))
            else:
                for one in saved:
                    await self._load(one)
                await asyncio.gather(*(self._measure(server) for server in servers), self._faults())
            for one in saved:
                await delete(self._topic, one.connection.registry)
            await asyncio.sleep(_QUIET_SECONDS)
        finally:
            for server in servers:
                server.close()

    def _pairs(self, servers: list[CountingServer]) -> list[tuple[CountingServer, Limits]]:
        return list(zip(servers, self._phase.registries, strict=True))

    def _server(self, number: int, limits: Limits) -> CountingServer:
        """Return a registry with more images than can be asked for in the phase's time, or one for short loads."""
        wanted = int(limits.max_rps * (self._phase.seconds + 3 * _RAMP_SECONDS) * 1.5)
        content = _SHORT if self._phase.loads else Content(max(16, wanted // 400), 400)
        server = CountingServer(
            f"{self._phase.name}-{number}",
            content,
            self._tell,
            max_connections=limits.max_connections,
            breaks_every=97 if self._phase.happens else 0,
        )
        self._tell(
            {
                "registry": server.name,
                "event": "registry",
                "max_rps": limits.max_rps,
                "max_connections": limits.max_connections,
                "faults": self._phase.happens is not None,
                "loads": self._phase.loads,
            }
        )
        return server

    async def _connect(self, server: CountingServer, limits: Limits) -> Saved:
        wanted = ConnectionSettings(
            name=server.name,
            type="v2",  # type: ignore[typeddict-item]  # checked like a form's
            auth_type="bearer",  # type: ignore[typeddict-item]
            max_rps=limits.max_rps,
            max_connections=limits.max_connections,
            shards=PARTITIONS,
        )
        return await ensure_connection(self._topic, server.url, wanted, PARTITIONS)

    async def _load(self, saved: Saved) -> int:
        """Ask for a load and return its number."""
        return (await self._requests.ask(Wanted(saved.connection.registry), datetime.now(UTC))).scan

    async def _short_loads(self, server: CountingServer, saved: Saved) -> None:
        """Load once, and then as often as is measured: from the first request to the last one before the load's end."""
        async with asyncio.timeout(_FIRST_SECONDS + self._phase.seconds):
            for number in range(1 + self._phase.loads):
                self._requested.clear()
                scan = await self._load(saved)
                while await self._is_running(saved, scan):  # noqa: ASYNC110  # the store tells nobody
                    await asyncio.sleep(_LOOK_SECONDS)
                if number:
                    self._tell({"registry": server.name, "event": "begins", "at": min(self._requested)})
                    self._tell(
                        {"registry": server.name, "event": "ends", "at": max(self._requested), "left": server.left}
                    )

    async def _is_running(self, saved: Saved, scan: int) -> bool:
        rows = await self._store.query(
            "SELECT status FROM scans WHERE registry = {name:String} AND scan_id = {scan:UInt64}",
            {"name": saved.connection.name, "scan": scan},
        )
        return not rows or rows[0]["status"] == "running"

    async def _measure(self, server: CountingServer) -> None:
        async with asyncio.timeout(_FIRST_SECONDS):
            await server.began.wait()
        await asyncio.sleep(_RAMP_SECONDS)
        self._tell({"registry": server.name, "event": "begins", "at": time.time_ns()})
        await asyncio.sleep(self._phase.seconds)
        self._tell({"registry": server.name, "event": "ends", "at": time.time_ns(), "left": server.left})

    async def _faults(self) -> None:
        if self._phase.happens:
            await asyncio.sleep(_RAMP_SECONDS)
            await self._phase.happens(self._workers)

    def _tell(self, line: Line) -> None:
        if line["event"] == "request":
            self._requested.append(line["at"])
        self._log.write(json.dumps(line) + "\n")
