"""The sink at work in tests: on the real broker and the real store, with whatever is to go wrong put in between."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from services.sink.buffer import Flow
from services.sink.decide import Fuse
from services.sink.decision import RegistryFacts
from services.sink.listings import Listings
from services.sink.partition import Partition
from services.sink.ports import Clocks, Work
from services.sink.progress import ScanProgress
from services.sink.publisher import NewProducer
from services.sink.queues import StageQueues
from services.sink.sending import Sending
from services.sink.stage import Sink
from services.sink.stalls import Stalls
from shared.messages.codec import decode, encode
from shared.messages.images_observed import ImagesObserved, ObservedChild, ObservedManifest, ObservedTag
from shared.messages.model import Message, Reading, ScanContext
from shared.messages.scan_progressed import Progress, ScanProgressed, UnitOutcome, UnitReported
from shared.messages.topics import BY_MESSAGE, IMAGE_EVENTS, SCAN_PROGRESSED, Topic
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.pipeline.kafka import client_options
from shared.pipeline.partitioning import key_of, partition_of
from shared.pipeline.topics import group_name, topic_name
from shared.settings import Settings
from shared.store import Store
from shared.store.rows import Row
from tests.support.broker import PARTITIONS

_NO_FUSE: Final = Fuse(share=1.0, minimum=1_000_000)
_SENDING: Final = Sending()
CLOCKS: Final = Clocks(lambda: datetime.now(UTC), time.monotonic)


class KnownRegistries:
    """Every registry is connected."""

    async def facts(self, context: ScanContext) -> RegistryFacts | None:
        return RegistryFacts(name="prod", host="https://registry.example.com")

    def deleted(self) -> Sequence[str]:
        return ()

    async def unfinished(self, partition: int) -> Sequence[ScanContext]:
        return ()


class StoreBetween(Store):
    """The real store, with a word before each insert.  before: may wait, or raise."""

    def __init__(self, store: Store, before: Callable[[Sequence[Row]], Awaitable[None]]) -> None:
        super().__init__(store._engine, store._lock)
        self._before = before

    async def insert(self, rows: Sequence[Row]) -> None:
        if rows:
            await self._before(rows)
        await super().insert(rows)


@dataclass(frozen=True)
class Estate:
    """Messages of one registry."""

    registry: str

    def context(self, scan: int = 1, **fields: Any) -> ScanContext:
        place = {"connection": 0, "slot": 0, "shards": PARTITIONS, "partitions": PARTITIONS}
        return ScanContext(registry=self.registry, scan=scan, **{**place, **fields})

    def observed(self, repository: str, tags: dict[str, str], scan: int = 1, **fields: Any) -> ImagesObserved:
        """A reading of a repository: tag → the word its digest is made of."""
        told: dict[str, Any] = {
            "context": self.context(scan),
            "reading": Reading(id=f"{repository} {scan}", leg="leg", page=0, last=True),
            "tags": tuple(ObservedTag(name=tag, digest=Digest.of(word.encode())) for tag, word in tags.items()),
            "manifests": tuple(map(_image, tags.values())),
            "observed_at": datetime.now(UTC),
        }
        return ImagesObserved(repository=repository, **{**told, **fields})

    def progressed(self, progress: Progress, scan: int = 1) -> ScanProgressed:
        return ScanProgressed(context=self.context(scan), progress=progress)


def _image(word: str) -> ObservedManifest:
    return ObservedManifest(
        digest=Digest.of(word.encode()),
        kind="image",
        media_type="application/vnd.oci.image.manifest.v1+json",
        platform=Platform(os="linux", architecture="amd64"),
        size_bytes=len(word),
    )


def index_of(word: str, *members: str) -> tuple[ObservedManifest, list[ObservedManifest]]:
    """An index by the word its digest is made of, and its members."""
    images = [_image(member) for member in members]
    children = tuple(ObservedChild(digest=image.digest, platform=image.platform) for image in images)
    index = ObservedManifest(
        digest=Digest.of(word.encode()),
        kind="index",
        media_type="application/vnd.oci.image.index.v1+json",
        children=children,
    )
    return index, images


@asynccontextmanager
async def sink(
    settings: Settings, store: Store, *, sending: Sending = _SENDING, new_producer: NewProducer = AIOKafkaProducer
) -> AsyncIterator[asyncio.Task[None]]:
    """A sink as a task; asked to stop, and waited for, at the end."""
    stop = asyncio.Event()
    sink = Sink(settings, store, KnownRegistries(), sending, CLOCKS, new_producer)
    working = asyncio.create_task(sink.run(stop))
    try:
        yield working
    finally:
        stop.set()
        await working


async def put(settings: Settings, *messages: Message) -> None:
    """Send messages of the chain where they belong."""
    topics = [topic_name(settings, BY_MESSAGE[type(message)]) for message in messages]
    await put_raw(
        settings,
        [
            (topic, partition_of(message), key_of(message), encode(message))
            for topic, message in zip(topics, messages, strict=True)
        ],
    )


async def put_raw(settings: Settings, records: Iterable[tuple[str, int, bytes, bytes]]) -> None:
    """Send (topic, partition, key, value)."""
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        sent = [await producer.send(topic, value, key, partition=partition) for topic, partition, key, value in records]
        await asyncio.gather(*sent)


@dataclass
class Heard:
    """What a consumer of committed messages has heard of the sink."""

    events: list[ConsumerRecord] = field(default_factory=list)
    progress: list[ScanProgressed] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, record: ConsumerRecord, *, is_event: bool) -> None:
        if is_event:
            self.events.append(record)
        else:
            self.progress.append(decode(ScanProgressed, record.value, record.offset))
        self.changed.set()

    @property
    def ids(self) -> list[str]:
        return [header(event, "ce_id") for event in self.events]

    @property
    def types(self) -> list[str]:
        return [header(event, "ce_type").removeprefix("dev.tallyman.") for event in self.events]

    @property
    def steps(self) -> list[Progress]:
        return [message.progress for message in self.progress]

    @property
    def units(self) -> dict[str, UnitOutcome]:
        return {step.repository: step.outcome for step in self.steps if isinstance(step, UnitReported)}

    async def until(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait until the condition holds. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


def header(record: ConsumerRecord, name: str) -> str:
    return str(dict(record.headers)[name].decode())


def data(record: ConsumerRecord) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(record.value)
    return told


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[Heard]:
    """Hear all events and all progress that is committed, from the beginning."""
    heard = Heard()
    events, progress = topic_name(settings, IMAGE_EVENTS), topic_name(settings, SCAN_PROGRESSED)
    consumer = AIOKafkaConsumer(
        **client_options(settings), isolation_level="read_committed", auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, number) for topic in (events, progress) for number in range(PARTITIONS)])

    async def listen() -> None:
        while True:
            for source, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    heard.take(record, is_event=source.topic == events)

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await consumer.stop()


def listings_of(store: Store) -> Work[ImagesObserved]:
    """What works `images.observed`; no fuse trips."""
    return Listings(store, KnownRegistries(), _NO_FUSE, _SENDING, CLOCKS)


def progress_of(settings: Settings, store: Store) -> Work[ScanProgressed]:
    """What works partition 0 of `scan.progressed`."""
    queues = StageQueues(settings)
    return ScanProgress(0, store, KnownRegistries(), _NO_FUSE, _SENDING, Stalls(3600.0), queues, CLOCKS)


@asynccontextmanager
async def outside_the_group(
    settings: Settings,
    topic: Topic[Any],
    partition: int,
    work: Work[Any],
    new_producer: NewProducer = AIOKafkaProducer,
) -> AsyncIterator[asyncio.Task[None]]:
    """A partition worked by somebody who thinks that it is still his, all that lies on it in one batch."""
    source = TopicPartition(topic_name(settings, topic), partition)
    consumer = AIOKafkaConsumer(**client_options(settings), group_id=group_name(settings, "sink"))
    await consumer.start()
    consumer.assign([source])
    await consumer.seek_to_beginning()
    flow = Flow(settings.sink_rows)
    owned = Partition(source, topic, work, consumer.committed, settings, CLOCKS, flow, new_producer)
    owned.offer((await consumer.getmany(timeout_ms=5000))[source])
    working = asyncio.create_task(owned.run())
    try:
        yield working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await consumer.stop()
