"""A whole estate on this machine: what a tag, a message and a row cost, and whether memory and backlog stay bounded.

    python -m benchmarks.estate [--registries 200] [--repositories 100] [--tags 50]

Registries that answer at once and store nothing (benchmarks.estate_servers), one process of each stage, a broker and a
ClickHouse server. Each estate is loaded and loaded again: first a small one, for the ratio of the cost of a tag, then
the whole one. While it runs, memory and backlog of each process are read off its metrics.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import httpx
import psutil
import typer
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.subject import cpu_of
from services.opening import connections_topic
from services.scan_requests import ScanRequests, Wanted
from shared.connections.rules import ConnectionSettings
from shared.connections.writer import Saved, delete, ensure_connection
from shared.messages.topics import STAGES
from shared.pipeline.broker_properties import free_ports
from shared.store.purge import TABLES
from shared.store.store import Store
from tests.budget.workers import Workers, running_workers

_PARTITIONS: Final = 24
_PROCESSES: Final = {"lister": 1, "tagger": 1, "manifester": 1, "sink": 1}
_LOOK_SECONDS: Final = 5.0
_LOOKS_A_LINE: Final = 12
_START_SECONDS: Final = 120.0
_SMALL_REGISTRIES: Final = 2
_MIB: Final = 1024 * 1024
_LIMIT_MIB: Final = 500
_RATIO: Final = 1.25


@dataclass
class Seen:
    """What was read off the processes while a load ran, look by look.

    memory: of Tallyman's own, MiB.  store_memory: of ClickHouse, MiB.  behind: messages, over all.
    """

    memory: dict[str, list[float]] = field(default_factory=dict)
    store_memory: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Cost:
    """seconds: wall.  cpu: seconds, by process.  messages: sent.  statements: of the store, by kind."""

    tags: int
    seconds: float
    cpu: dict[str, float]
    messages: float
    statements: dict[str, int]
    seen: Seen

    @property
    def cpu_a_tag(self) -> float:
        """Microseconds of Tallyman's own processes."""
        return sum(self.cpu[stage] for stage in STAGES) / self.tags * 1e6


async def run(registries: int, repositories: int, tags: int) -> None:
    """Measure, and print what was found."""
    ports = dict(zip(STAGES, (*free_ports(), *free_ports()), strict=True))
    beside = {stage: {"TALLYMAN_METRICS": f"127.0.0.1:{port}"} for stage, port in ports.items()}
    with TemporaryDirectory(prefix="tallyman-bench-") as folder:
        path = Path(folder)
        async with running_workers(path, path, partitions=_PARTITIONS, processes=_PROCESSES, beside=beside) as workers:
            store = await Store.open(workers.settings)
            try:
                estate = Estate(workers, store, ports)
                await estate.ready()
                small = await estate.measured("small", _SMALL_REGISTRIES, repositories, tags)
                large = await estate.measured("whole", registries, repositories, tags)
                await _report(store, small, large)
                _report_topics(path / "broker", workers.settings.topic_prefix)
            finally:
                await store.close()


class Estate:
    """Loads on running workers.  ports: where each stage's process tells its numbers."""

    def __init__(self, workers: Workers, store: Store, ports: dict[str, int]) -> None:
        self._workers: Final = workers
        self._store: Final = store
        self._ports: Final = ports
        self._topic: Final = connections_topic(workers.settings)
        self._requests: Final = ScanRequests(workers.settings, self._topic, store)

    async def ready(self) -> None:
        """Return once every process tells its numbers."""
        async with asyncio.timeout(_START_SECONDS):
            for stage in STAGES:
                while True:
                    with suppress(httpx.TransportError):
                        await self._numbers(stage)
                        break
                    await asyncio.sleep(1)

    async def measured(self, name: str, registries: int, repositories: int, tags: int) -> list[Cost]:
        """Return what a first load and an unchanged one of such an estate cost."""
        with _servers(registries, repositories, tags) as urls:
            saved = [await self._connect(f"{name}-{number}", url) for number, url in enumerate(urls)]
            costs = []
            for which in ("first", "unchanged"):
                cost = await self._loaded(saved, registries * repositories * tags)
                costs.append(cost)
                print(f"{name} estate, {which} load: {_told(cost)}", flush=True)
            for one in saved:
                await delete(self._topic, one.connection.registry)
        return costs

    async def _connect(self, name: str, url: str) -> Saved:
        wanted = ConnectionSettings(name=name, type="v2", max_rps=10_000, max_connections=8)  # type: ignore[typeddict-item]
        return await ensure_connection(self._topic, url, wanted, _PARTITIONS)

    async def _loaded(self, saved: Sequence[Saved], tags: int) -> Cost:
        cpu, sent, stated, begun = self._cpu(), await self._sent(), await self._statements(), time.monotonic()
        seen = Seen()
        looking = asyncio.create_task(self._keep_looking(seen))
        try:
            scans = [
                (await self._requests.ask(Wanted(one.connection.registry), datetime.now(UTC))).scan for one in saved
            ]
            await self._ended(saved, scans)
        finally:
            looking.cancel()
        seconds = time.monotonic() - begun
        used = {name: after - cpu[name] for name, after in self._cpu().items()}
        statements = {kind: count - stated[kind] for kind, count in (await self._statements()).items()}
        return Cost(tags, seconds, used, await self._sent() - sent, statements, seen)

    async def _ended(self, saved: Sequence[Saved], scans: Sequence[int]) -> None:
        """Return when all have ended well."""
        wanted = [(one.connection.registry, scan) for one, scan in zip(saved, scans, strict=True)]
        asked = {"scans": wanted}
        query = (
            "SELECT reason, count() AS many FROM scan_units FINAL WHERE state = 'ended' AND "
            "(registry, scan) IN {scans:Array(Tuple(String, UInt64))} GROUP BY reason"
        )
        while True:
            ended = {row["reason"]: row["many"] for row in await self._store.query(query, asked)}
            if sum(ended.values()) == len(wanted):
                break
            await asyncio.sleep(1)
        if set(ended) != {"complete"}:
            raise SystemExit(f"Not every load was complete ({ended}): these numbers say nothing.")

    def _cpu(self) -> dict[str, float]:
        services = self._workers.services.running
        pids = {stage: services[f"{stage}-0"].pid for stage in STAGES}
        assert self._workers.broker.pid is not None
        pids |= {"broker": self._workers.broker.pid, "store": self._workers.store.pid}
        return {name: cpu_of(psutil.Process(pid)) for name, pid in pids.items()}

    async def _statements(self) -> dict[str, int]:
        query = "SELECT event, value FROM system.events WHERE event IN ('SelectQuery', 'InsertQuery')"
        return {row["event"]: row["value"] for row in await self._store.query(query)}

    async def _keep_looking(self, seen: Seen) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            behind = 0.0
            for stage in STAGES:
                numbers = await self._numbers(stage)
                seen.memory.setdefault(stage, []).append(numbers["process_resident_memory_bytes"] / _MIB)
                behind += numbers["tallyman_stage_lag"]
            seen.store_memory.append(psutil.Process(self._workers.store.pid).memory_info().rss / _MIB)
            seen.behind.append(behind)
            if len(seen.behind) % _LOOKS_A_LINE == 0:
                _show(seen)

    async def _sent(self) -> float:
        return sum([(await self._numbers(stage))["tallyman_messages_sent_total"] for stage in STAGES])

    async def _numbers(self, stage: str) -> dict[str, float]:
        """Return a process's numbers, each summed over its labels."""
        async with httpx.AsyncClient(timeout=30) as client:
            text = (await client.get(f"http://127.0.0.1:{self._ports[stage]}/metrics")).text
        summed = {"tallyman_stage_lag": 0.0, "tallyman_messages_sent_total": 0.0}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                summed[sample.name] = summed.get(sample.name, 0.0) + sample.value
        return summed


@contextmanager
def _servers(registries: int, repositories: int, tags: int) -> Iterator[list[str]]:
    command = [sys.executable, "-m", "benchmarks.estate_servers", str(registries), str(repositories), str(tags)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def _show(seen: Seen) -> None:
    """Say how it goes, for who waits."""
    memory = ", ".join(f"{stage} {told[-1]:.0f}" for stage, told in seen.memory.items())
    print(f"  {seen.behind[-1]:.0f} messages behind; memory, MiB: {memory}", file=sys.stderr, flush=True)


def _told(cost: Cost) -> str:
    peaks = ", ".join(f"{stage} {max(memory):.0f}" for stage, memory in cost.seen.memory.items())
    cpu = ", ".join(f"{name} {seconds / cost.tags * 1e6:.0f}" for name, seconds in cost.cpu.items())
    return (
        f"{cost.tags} tags in {cost.seconds:.0f} s, {cost.seconds / cost.tags * 1e6:.0f} µs a tag; "
        f"CPU µs a tag: {cpu}; messages {cost.messages:.0f}; statements {cost.statements}; "
        f"most memory, MiB: {peaks or 'not seen'}, store {max(cost.seen.store_memory, default=0):.0f}; "
        f"most behind: {max(cost.seen.behind, default=0):.0f} messages"
    )


async def _report(store: Store, small: Sequence[Cost], large: Sequence[Cost]) -> None:
    for name, few, many in zip(("first", "unchanged"), small, large, strict=True):
        ratio = (many.seconds / many.tags) / (few.seconds / few.tags)
        print(
            f"{name} load: a tag takes {ratio:.2f} x that of the small estate in wall time (goal {_RATIO}), "
            f"{many.cpu_a_tag / few.cpu_a_tag:.2f} x in CPU"
        )
        for stage, memory in many.seen.memory.items():
            half = len(memory) // 2
            growth = max(memory[half:], default=0) - max(memory[:half], default=0)
            print(f"  {stage}: at most {max(memory):.0f} MiB (goal {_LIMIT_MIB}), later half {growth:+.0f} MiB")
    print("The store, by table: rows, bytes on disk, bytes a row")
    for table in TABLES:
        (row,) = await store.query(
            "SELECT sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND "
            "database = currentDatabase() AND table = {table:String}",
            {"table": table},
        )
        if row["rows"]:
            print(f"  {table}: {row['rows']}, {row['bytes']}, {row['bytes'] / row['rows']:.0f}")


def _report_topics(broker: Path, prefix: str) -> None:
    """Say what each topic's segments take.  broker: the folder of the broker."""
    sizes: dict[str, int] = {}
    for segment in broker.glob(f"kafka/logs/{prefix}*/*.log"):
        topic = segment.parent.name.removeprefix(prefix).rpartition("-")[0]
        sizes[topic] = sizes.get(topic, 0) + segment.stat().st_size
    print("The broker, by topic: bytes in segments")
    for topic, size in sorted(sizes.items()):
        if size:
            print(f"  {topic}: {size}")


def main(
    registries: Annotated[int, typer.Option(help="Registries of the whole estate.")] = 200,
    repositories: Annotated[int, typer.Option(help="Repositories of each.")] = 100,
    tags: Annotated[int, typer.Option(help="Tags of each repository.")] = 50,
) -> None:
    """Load an estate, and load it again."""
    asyncio.run(run(registries, repositories, tags))


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
