"""The sink alone: how many observations a second it turns into rows and events, beside a loop that only inserts.

`python -m benchmarks.sink [--observations 100000] [--tags 100] [--rounds 3]`. All pages lie on the topic before the
sink starts; it runs on a real broker and on the embedded engine until it has committed them. Each observation of the
first round of pages is a new tag and a new image: two events, two states, three rows. The second round of pages sees
the same again under the next scan. The bare loop inserts the rows that the sink inserts, in batches as large, and does
nothing else.

CPU seconds: Python is this process's main thread (Kafka client, codecs, deciding, events), the engine all its other
threads (the embedded ClickHouse, and the driver that packs the rows for it), the broker a process of its own.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import psutil
import typer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.subject import cpu_of
from services.sink.decide import Fuse, decide_listing
from services.sink.decision import Decision, RegistryFacts
from services.sink.observation import observation_of
from services.sink.partition import weight_of
from services.sink.ports import Clocks
from services.sink.stage import Sink
from services.sink.state import state_after
from shared.messages.codec import encode
from shared.messages.images_observed import ImagesObserved, ObservedManifest, ObservedTag
from shared.messages.model import Reading, ScanContext
from shared.messages.topics import IMAGES_OBSERVED
from shared.observability.logs import configure_logs
from shared.oci.digest import Digest
from shared.oci.media_types import OCI_MANIFEST
from shared.oci.platform import Platform
from shared.pipeline.broker import EmbeddedBroker
from shared.pipeline.kafka import client_options
from shared.pipeline.loop import run_loop
from shared.pipeline.partitioning import key_of, partition_of
from shared.pipeline.topics import ensure_topics, group_name, topic_name
from shared.settings import Settings, load_settings
from shared.store import Store
from shared.store.rows import OutboxRow
from shared.store.state import RepositoryState

_FACTS: Final = RegistryFacts(name="prod", host="https://registry.example.com")
_CLOCKS: Final = Clocks(lambda: datetime.now(UTC), time.monotonic)
_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_GOALS: Final = {"changed": 40_000, "unchanged": 100_000}
_BARE_GOAL: Final = 0.5


@dataclass(frozen=True)
class Cost:
    """So many observations: seconds, and CPU seconds of Python, of the engine, of the broker."""

    observations: int
    seconds: float
    python: float
    engine: float
    broker: float

    @property
    def a_second(self) -> float:
        return self.observations / self.seconds


def main(
    observations: Annotated[int, typer.Option(help="Tags observed in each round of pages.")] = 100_000,
    tags: Annotated[int, typer.Option(help="Tags of a page, one page a repository.")] = 100,
    rounds: Annotated[int, typer.Option(help="Rounds, each on a fresh registry; medians are told.")] = 3,
) -> None:
    """Measure, and print what was found."""
    configure_logs("warning")
    costs = run_loop(_measured(observations // tags, tags, rounds))
    print("|  | observations/s | wall s | Python CPU µs | engine CPU µs | broker CPU µs |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, some in costs.items():
        cpu = " | ".join(
            f"{median(part(cost) / cost.observations for cost in some) * 1e6:.1f}"
            for part in map(attrgetter, ("python", "engine", "broker"))
        )
        print(f"| {name} | {_rate(some):.0f} | {median(cost.seconds for cost in some):.1f} | {cpu} |")
    print()
    for kind, goal in _GOALS.items():
        sink, bare = costs[f"sink, {kind}"], costs[f"bare inserts, {kind}"]
        share = median(one.a_second / other.a_second for one, other in zip(sink, bare, strict=True))
        print(f"{kind}: {_rate(sink):.0f}/s (goal {goal}); {share:.2f} of the bare inserts (goal {_BARE_GOAL})")


def _rate(some: Iterable[Cost]) -> float:
    return median(cost.a_second for cost in some)


class _Connected:
    """Every registry is connected, and none was deleted."""

    async def facts(self, context: ScanContext) -> RegistryFacts | None:
        return _FACTS

    def deleted(self) -> Sequence[str]:
        return ()

    async def unfinished(self, partition: int) -> Sequence[ScanContext]:
        return ()


async def _measured(repositories: int, tags: int, rounds: int) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {}
    async with _opened() as (settings, store):
        for number in range(rounds):
            bare = await _bare(settings, store, f"bare{number:04}", repositories, tags)
            for kind, cost in bare.items():
                costs.setdefault(f"bare inserts, {kind}", []).append(cost)
            for scan, kind in enumerate(_GOALS, 1):
                await _send(settings, _pages(settings, f"sink{number:04}", repositories, tags, scan))
                gc.collect()  # what was made for the measuring is not the sink's to look through
                costs.setdefault(f"sink, {kind}", []).append(await _sunk(settings, store, repositories * tags))
    return costs


async def _bare(settings: Settings, store: Store, registry: str, repositories: int, tags: int) -> dict[str, Cost]:
    decisions: dict[str, Decision] = {}
    costs = {}
    for scan, kind in enumerate(_GOALS, 1):
        batches = list(_batches(settings, _pages(settings, registry, repositories, tags, scan), decisions))
        costs[kind] = await _inserted(store, batches, repositories * tags)
    return costs


def _pages(settings: Settings, registry: str, repositories: int, tags: int, scan: int) -> Iterator[ImagesObserved]:
    return (_page(settings, registry, f"team/app{number}", tags, scan) for number in range(repositories))


@asynccontextmanager
async def _opened() -> AsyncIterator[tuple[Settings, Store]]:
    with TemporaryDirectory(prefix="tallyman-bench-") as folder:
        broker = EmbeddedBroker(Path(folder) / "broker")
        settings = load_settings(data=Path(folder)).model_copy(update={"kafka": await broker.start()})
        store = await Store.open(settings)
        try:
            await store.migrate()
            await ensure_topics(settings, ["sink"])
            yield settings, store
        finally:
            await store.close()
            await broker.stop()


def _page(settings: Settings, registry: str, repository: str, tags: int, scan: int) -> ImagesObserved:
    """Return a repository's one page; what the first scan told of its images is known to the second."""
    context = ScanContext(
        registry=registry,
        scan=scan,
        connection=0,
        slot=0,
        shards=settings.partitions,
        partitions=settings.partitions,
    )
    digests = {f"v{number}": Digest.of(f"{registry} {repository} {number}".encode()) for number in range(tags)}
    return ImagesObserved(
        context=context,
        repository=repository,
        reading=Reading(id=f"{repository} {scan}", leg="leg", page=0, last=True),
        tags=tuple(ObservedTag(name=tag, digest=digest) for tag, digest in digests.items()),
        manifests=tuple(map(_image, digests.values())) if scan == 1 else (),
        observed_at=_AT,
    )


def _image(digest: Digest) -> ObservedManifest:
    return ObservedManifest(
        digest=digest,
        kind="image",
        media_type=OCI_MANIFEST,
        platform=Platform(os="linux", architecture="amd64"),
        size_bytes=1,
        config=digest,
        created=_AT,
    )


def _batches(
    settings: Settings, pages: Iterable[ImagesObserved], decisions: dict[str, Decision]
) -> Iterator[Sequence[Decision]]:
    """Yield the decisions on the pages, so many together as the sink works at once.  decisions: the last, by place."""
    fuse = Fuse(settings.fuse_share, settings.fuse_minimum)
    batch: list[Decision] = []
    weight = 0
    for page in pages:
        before = decisions.get(page.repository)
        state = state_after(RepositoryState(), before.rows) if before else RepositoryState()
        decision = decide_listing(state, observation_of([page]), fuse).model_copy(update={"registry": _FACTS})
        decisions[page.repository] = decision
        batch.append(decision)
        weight += weight_of(encode(page))
        if weight >= settings.sink_rows:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


async def _inserted(store: Store, batches: Sequence[Sequence[Decision]], observations: int) -> Cost:
    """Insert what the sink would insert, and nothing else is done."""
    rows = [[_outbox_row(decision) for decision in batch] for batch in batches]
    with _measuring(observations) as told:
        for outbox, batch in zip(rows, batches, strict=True):
            await store.insert(outbox)
            for table in zip(*(decision.rows.tables() for decision in batch), strict=True):
                await store.insert(list(chain.from_iterable(table)))
    return told[0]


def _outbox_row(decision: Decision) -> OutboxRow:
    return OutboxRow(
        registry=decision.context.registry,
        repository=decision.repository,
        scan=decision.context.scan,
        topic=IMAGES_OBSERVED.name,
        partition=0,
        offset=0,
        decision=decision.model_dump_json(),
        inserted_at=_AT,
    )


async def _send(settings: Settings, pages: Iterable[ImagesObserved]) -> None:
    topic = topic_name(settings, IMAGES_OBSERVED)
    async with AIOKafkaProducer(**client_options(settings), max_request_size=4 << 20) as producer:
        for page in pages:
            await producer.send(topic, encode(page), key_of(page), partition_of(page))


async def _sunk(settings: Settings, store: Store, observations: int) -> Cost:
    """Run a sink until it has committed every page."""
    stop = asyncio.Event()
    topic = topic_name(settings, IMAGES_OBSERVED)
    sources = [TopicPartition(topic, number) for number in range(settings.partitions)]
    group = group_name(settings, "sink")
    async with AIOKafkaConsumer(**client_options(settings), group_id=group, enable_auto_commit=False) as watching:
        watching.assign(sources)
        ends = await watching.end_offsets(sources)
        sink = Sink(settings, store, _Connected(), _CLOCKS)
        working = asyncio.create_task(sink.run(stop))
        with _measuring(observations) as told:
            while not working.done() and await _behind(watching, ends):  # noqa: ASYNC110  # no word comes of a commit
                await asyncio.sleep(0.05)
        stop.set()
        await working
    return told[0]


async def _behind(watching: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    for source, end in ends.items():
        if end and (await watching.committed(source) or 0) < end:
            return True
    return False


@contextmanager
def _measuring(observations: int) -> Iterator[list[Cost]]:
    """Yield a list that holds the block's cost once it has ended."""
    told: list[Cost] = []
    before = _now()
    yield told
    seconds, python, own, broker = (after - then for after, then in zip(_now(), before, strict=True))
    told.append(Cost(observations, seconds, python, own - python, broker))


def _now() -> tuple[float, float, float, float]:
    broker = sum(map(cpu_of, psutil.Process().children()))
    return time.perf_counter(), time.thread_time(), time.process_time(), broker


if __name__ == "__main__":
    typer.run(main)
