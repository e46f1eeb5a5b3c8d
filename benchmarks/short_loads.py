"""How much longer a load takes where its stages are processes that share the registry's budget than in one process.

    python -m benchmarks.short_loads [--tags N] [--goes N] [--manifesters N ...]

One registry that only counts, 30 repositories, 50 requests a second. For each form a broker, a ClickHouse and the
processes are started, the registry is loaded once, and then unchanged so many times; the median counts. Printed are its
requests in each second, by stage: c(atalog), t(ags), m(anifests).
"""

import argparse
import asyncio
import os
import statistics
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.opening import connections_topic
from shared.connections.rules import ConnectionSettings
from shared.messages.topics import BUDGET_CLAIMED
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import topic_name
from shared.settings import Settings
from tallyman.loading import load
from tests.budget.workers import Workers, running_workers
from tests.e2e.service_processes import stopped
from tests.fakes.counting_content import Content
from tests.fakes.counting_registry import CountingServer, Line, arrivals, most_in_a_second

_REPOSITORIES: Final = 30
_MAX_RPS: Final = 50
_MAX_CONNECTIONS: Final = 16
_ALONE: Final = 0
"""Instead of a number of manifesters: all stages in one process."""


@dataclass(frozen=True)
class Measured:
    """One load.  seconds: from its request to its end.  asking_seconds: from its first to its last
    request at the registry.

    by_second: the requests, for people.  beats: records of the budget's log meanwhile.
    """

    seconds: float
    asking_seconds: float
    requests: int
    most_in_a_second: int
    by_second: str
    beats: int


async def main(tags: int, goes: int, forms: list[int]) -> None:
    """Measure each form and print how it compares with the one process."""
    medians: dict[int, tuple[float, float]] = {}
    for manifesters in [_ALONE, *forms]:
        with TemporaryDirectory(prefix="tallyman-bench-") as folder:
            loads = await _measured(Path(folder), manifesters, tags, goes)
        name = f"{manifesters} manifesters" if manifesters else "one process"
        for one in loads:
            print(
                f"{name}: {one.seconds:.1f} s, {one.requests} requests in {one.asking_seconds:.1f} s, "
                f"most {one.most_in_a_second}, {one.beats / one.seconds:.0f} beats a second: {one.by_second}"
            )
        unchanged = loads[1:]
        medians[manifesters] = (
            statistics.median(one.seconds for one in unchanged),
            statistics.median(one.asking_seconds for one in unchanged),
        )
        (whole, asking), (whole_alone, asking_alone) = medians[manifesters], medians[_ALONE]
        print(
            f"{name}, unchanged, medians: {whole:.1f} s, {whole / whole_alone:.2f} x the one process; "
            f"from the first request to the last {asking:.1f} s, {asking / asking_alone:.2f} x",
            flush=True,
        )


async def _measured(folder: Path, manifesters: int, tags: int, goes: int) -> list[Measured]:
    """Return a first load and so many unchanged ones."""
    processes = {"lister": 1, "tagger": 1, "manifester": manifesters, "sink": 1} if manifesters else {}
    async with running_workers(folder, folder, processes=processes) as workers:
        if manifesters:
            return [one async for one in _loads(workers, tags, goes)]
        async with _one_process(workers, folder):
            return [one async for one in _loads(workers, tags, goes)]


async def _loads(workers: Workers, tags: int, goes: int) -> AsyncIterator[Measured]:
    lines: list[Line] = []
    content = Content(_REPOSITORIES, tags // _REPOSITORIES)
    server = CountingServer("short", content, lines.append, max_connections=_MAX_CONNECTIONS, is_guarded=False)
    wanted = ConnectionSettings(name="short", max_rps=_MAX_RPS, max_connections=_MAX_CONNECTIONS)
    topic = connections_topic(workers.settings)
    try:
        for _ in range(1 + goes):
            lines.clear()
            before = await _beats(workers.settings)
            outcome = await load(
                workers.settings, topic, server.url, wanted, allow_empty=False, tell=lambda _, __: None
            )
            if outcome.loaded.status != "complete":
                raise SystemExit(f"The load ended {outcome.loaded.status}: nothing to compare.")
            times = arrivals(lines)
            beats = await _beats(workers.settings) - before
            yield Measured(
                outcome.loaded.seconds,
                times[-1] - times[0],
                len(times),
                most_in_a_second(times),
                _by_second(lines),
                beats,
            )
    finally:
        server.close()


async def _beats(settings: Settings) -> int:
    """Return the end of the budget's log."""
    source = TopicPartition(topic_name(settings, BUDGET_CLAIMED), 0)
    async with AIOKafkaConsumer(**client_options(settings)) as consumer:
        return int((await consumer.end_offsets([source]))[source])


def _by_second(lines: list[Line]) -> str:
    requests = [line for line in lines if line["event"] == "request"]
    first = min(line["at"] for line in requests)
    seconds: dict[int, Counter[str]] = {}
    for line in requests:
        seconds.setdefault((line["at"] - first) // 1_000_000_000, Counter())[_stage(line["path"])] += 1
    return " ".join(
        "".join(f"{stage}{many}" for stage, many in seconds.get(second, Counter("-")).items())
        for second in range(max(seconds) + 1)
    )


def _stage(path: str) -> str:
    return "t" if path.endswith("/tags/list") else "m" if "/manifests/" in path or "/blobs/" in path else "c"


@asynccontextmanager
async def _one_process(workers: Workers, folder: Path) -> AsyncIterator[Process]:
    environment = {**os.environ, **workers.services.environment, "TALLYMAN_DATA": str(folder / "whole")}
    with (folder / "whole.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.one_process"), env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        await stopped(process)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.short_loads")
    parser.add_argument("--tags", type=int, default=450, help="a multiple of 30")
    parser.add_argument("--goes", type=int, default=3, help="unchanged loads of each form")
    parser.add_argument("--manifesters", type=int, nargs="*", default=[1, 2, 3])
    arguments = parser.parse_args()
    asyncio.run(main(arguments.tags, arguments.goes, arguments.manifesters))
