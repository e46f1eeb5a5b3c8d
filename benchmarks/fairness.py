"""Whether a slow, a dead and a giant registry slow the others down, on the same workers.

    python -m benchmarks.fairness [ROUNDS]

Seven registries are loaded, in turns alone and beside three others: one that allows 1 request a second, one that does
not answer, one giant that is spread over all partitions. Four partitions, so at least two registries each; three
processes of each stage. Each of the seven has its own time, from asking for the load to its end, beside the others by
alone; the giant's budget is counted where its requests arrive.
"""

import asyncio
import statistics
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from services.opening import connections_topic
from services.scan_requests import ScanRequests, Wanted
from shared.connections.rules import ConnectionSettings
from shared.connections.writer import Saved, delete, ensure_connection
from shared.store.store import Store
from tests.budget.workers import Workers, running_workers
from tests.fakes.counting_content import Content
from tests.fakes.counting_registry import CountingServer, most_in_a_second

_SEVEN: Final = 7
_RPS: Final = 25
_CONTENT: Final = Content(repositories=12, tags=60)
_GIANT: Final = Content(repositories=400, tags=400)
_GIANT_RPS: Final = 100
_DEAD: Final = "http://127.0.0.1:9"
_PARTITIONS: Final = 4
_ENDS_SECONDS: Final = 300.0


async def main(rounds: int) -> None:
    ratios: list[float] = []
    with TemporaryDirectory(prefix="tallyman-bench-") as folder:
        async with running_workers(Path(folder), Path(folder), partitions=_PARTITIONS) as workers:
            store = await Store.open(workers.settings)
            try:
                bench = _Bench(workers, store)
                for number in range(rounds):
                    alone = await bench.seven()
                    beside = await bench.seven_beside_three()
                    of_round = [there / here for here, there in zip(alone, beside, strict=True)]
                    ratios += of_round
                    print(
                        f"round {number + 1}: alone {statistics.median(alone):.1f} s, beside the three "
                        f"{statistics.median(beside):.1f} s; ratios {', '.join(f'{ratio:.2f}' for ratio in of_round)}",
                        flush=True,
                    )
            finally:
                await store.close()
    print(f"The giant got at most {bench.giants_most} requests in a second, of {_GIANT_RPS} allowed.")
    print(f"Of {len(ratios)} loads the median took {statistics.median(ratios):.2f}, the longest {max(ratios):.2f} x.")


class _Bench:
    """Loads on running workers."""

    def __init__(self, workers: Workers, store: Store) -> None:
        self._settings: Final = workers.settings
        self._topic: Final = connections_topic(workers.settings)
        self._store: Final = store
        self._requests: Final = ScanRequests(workers.settings, self._topic, store)
        self._numbers = 0
        self.giants_most = 0

    async def seven(self) -> list[float]:
        """Return the seconds that each of the seven takes."""
        with ExitStack() as stack:
            servers = [self._server(stack, f"plain-{number}", _CONTENT) for number in range(_SEVEN)]
            saved = [await self._connect(server.url, max_rps=_RPS) for server in servers]
            seconds = await asyncio.gather(*(self._loaded(one) for one in saved))
            await self._forget(saved)
        return list(seconds)

    async def seven_beside_three(self) -> list[float]:
        """Return the same while a slow, a dead and a giant registry are loaded, too."""
        lines: list[dict[str, Any]] = []
        with ExitStack() as stack:
            slow = self._server(stack, "slow", _CONTENT)
            giant = self._server(stack, "giant", _GIANT, lines)
            three = [
                await self._connect(slow.url, max_rps=1),
                await self._connect(_DEAD, max_rps=_RPS),
                await self._connect(giant.url, max_rps=_GIANT_RPS, shards=_PARTITIONS),
            ]
            for one in three:
                await self._ask(one)
            async with asyncio.timeout(_ENDS_SECONDS):
                await giant.began.wait()
            seconds = await self.seven()
            await self._forget(three)
        times = sorted(line["at"] for line in lines if line["event"] == "request")
        self.giants_most = max(self.giants_most, most_in_a_second(times, 1_000_000_000))
        return seconds

    def _server(
        self, stack: ExitStack, name: str, content: Content, lines: list[dict[str, Any]] | None = None
    ) -> CountingServer:
        tell = (lambda _: None) if lines is None else lines.append
        server = CountingServer(name, content, tell, max_connections=1000, is_guarded=False)
        stack.callback(server.close)
        return server

    async def _connect(self, url: str, *, max_rps: int, shards: int = 1) -> Saved:
        self._numbers += 1
        wanted = ConnectionSettings(
            name=f"fair-{self._numbers}",
            type="v2",  # type: ignore[typeddict-item]  # checked like a form's
            max_rps=max_rps,
            max_connections=12,
            shards=shards,
        )
        return await ensure_connection(self._topic, url, wanted, _PARTITIONS)

    async def _ask(self, saved: Saved) -> int:
        return (await self._requests.ask(Wanted(saved.connection.registry), datetime.now(UTC))).scan

    async def _loaded(self, saved: Saved) -> float:
        begun = time.monotonic()
        asked = {"name": saved.connection.name, "scan": await self._ask(saved)}
        async with asyncio.timeout(_ENDS_SECONDS):
            while True:
                rows = await self._store.query(
                    "SELECT status FROM scans WHERE registry = {name:String} AND scan_id = {scan:UInt64}", asked
                )
                if rows and rows[0]["status"] != "running":
                    break
                await asyncio.sleep(0.2)
        if rows[0]["status"] != "complete":
            raise RuntimeError(f"{saved.connection.name} ended {rows[0]['status']}: nothing to compare")
        return time.monotonic() - begun

    async def _forget(self, saved: list[Saved]) -> None:
        for one in saved:
            await delete(self._topic, one.connection.registry)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
