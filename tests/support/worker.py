"""What tests of the worker loop share: a stage that notes what it does, and a view of the topics around it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.errors import TallymanError
from shared.messages.codec import decode, encode
from shared.messages.model import Failure, Message, Reading, ScanContext
from shared.messages.repository_found import RepositoryFound
from shared.messages.tags_found import TagsFound
from shared.messages.topics import REPOSITORY_FOUND, TAGS_FOUND, TopicName, dead_letter
from shared.pipeline.kafka import client_options
from shared.pipeline.partitioning import key_of, partition_of
from shared.pipeline.stage import Pace, Stage, StageStats
from shared.pipeline.topics import group_name, topic_name
from shared.pipeline.worker import run_stage
from shared.settings import Settings
from tests.support.broker import PARTITIONS

BRISK = Pace(commit=0.2, session=6, backoff=0.05)
NAME = "tagger"


def found(registry: str, repository: str, number: int = 0, *, slot: int = 0) -> RepositoryFound:
    """A message of `repository.found`; its number stands in `tag`, for whoever has to tell it from its like."""
    context = ScanContext(
        registry=registry.ljust(8, "0"), scan=1, connection=0, slot=slot, shards=1, partitions=PARTITIONS
    )
    return RepositoryFound(context=context, repository=repository, tag=str(number))


def page(message: RepositoryFound, *failures: Failure) -> TagsFound:
    """What the stage of these tests gives for a message."""
    reading = Reading(id=str(message.tag), leg="leg", page=0, last=True)
    return TagsFound(context=message.context, repository=message.repository, reading=reading, failures=failures)


def _failure(what: str, error: TallymanError) -> Failure:
    return Failure(what=what, reason=error.reason, detail=str(error))


def _unreadable(context: ScanContext, repository: str | None, error: TallymanError) -> Iterable[Message]:
    return (page(RepositoryFound(context=context, repository=repository or "?"), _failure("message", error)),)


@dataclass
class Noted:
    """A stage's work as it went.

    work: what is done for a message before its page is given.
    begun, ended: (repository, number), in the order it happened.  most: at work at once.
    """

    work: Callable[[RepositoryFound], Awaitable[None]]
    begun: list[tuple[str, int]] = field(default_factory=list)
    ended: list[tuple[str, int]] = field(default_factory=list)
    at_work: set[tuple[str, str]] = field(default_factory=set)
    most: int = 0
    overlaps: int = 0

    def stage(self) -> Stage[RepositoryFound]:
        return Stage(
            name=NAME,
            source=REPOSITORY_FOUND,
            handle=self._handle,
            give_up=lambda message, error: (page(message, _failure(message.repository, error)),),
            order=lambda message: message.repository,
            registry=lambda message: message.context.registry,
            unreadable=_unreadable,
        )

    async def _handle(self, message: RepositoryFound) -> AsyncIterator[Message]:
        key, me = (message.context.registry, message.repository), (message.repository, int(message.tag or 0))
        self.overlaps += key in self.at_work
        self.at_work.add(key)
        self.most = max(self.most, len(self.at_work))
        self.begun.append(me)
        try:
            await self.work(message)
            yield page(message)
            self.ended.append(me)
        finally:
            self.at_work.discard(key)


async def at_once(message: RepositoryFound) -> None:
    """Work that takes no time."""


@asynccontextmanager
async def running(
    noted: Noted | Stage[RepositoryFound],
    settings: Settings,
    *,
    stats: StageStats | None = None,
    pace: Pace = BRISK,
) -> AsyncIterator[asyncio.Task[None]]:
    """The stage as a task; asked to stop, and waited for, at the end."""
    stage = noted.stage() if isinstance(noted, Noted) else noted
    stop = asyncio.Event()
    task = asyncio.create_task(run_stage(stage, settings, stop, stats=stats, pace=pace))
    try:
        yield task
    finally:
        stop.set()
        if not task.cancelled():
            await task


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until the condition holds. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # conditions are about counts in many places, not one event
            await asyncio.sleep(0.02)


async def send(settings: Settings, messages: Iterable[Message]) -> None:
    """Put messages of `repository.found` where they belong."""
    await send_raw(settings, [(key_of(message), encode(message), partition_of(message)) for message in messages])


async def send_raw(settings: Settings, records: Iterable[tuple[bytes | None, bytes | None, int]]) -> None:
    """Put (key, value, partition) on `repository.found`."""
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        topic = topic_name(settings, REPOSITORY_FOUND)
        sent = [await producer.send(topic, value, key, partition) for key, value, partition in records]
        await asyncio.gather(*sent)


async def pages(settings: Settings) -> list[TagsFound]:
    """Everything on `tags.found`."""
    return [decode(TagsFound, record.value, record.offset) for record in await records_of(settings, TAGS_FOUND)]


async def dead_letters(settings: Settings) -> list[tuple[ConsumerRecord, Mapping[str, str]]]:
    """The stage's dead letters, each with its headers."""
    letters = await records_of(settings, dead_letter(NAME))
    return [(letter, {name: value.decode() for name, value in letter.headers}) for letter in letters]


async def records_of(settings: Settings, topic: TopicName) -> list[ConsumerRecord]:
    """Everything on a topic up to now."""
    name = topic_name(settings, topic)
    options = client_options(settings)
    async with AIOKafkaConsumer(**options, isolation_level="read_committed", fetch_max_wait_ms=50) as consumer:
        await consumer._client._wait_on_metadata(name)
        partitions = [TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        records: list[ConsumerRecord] = []
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for fetched in (await consumer.getmany(timeout_ms=200)).values():
                records += fetched
        return records


async def committed(settings: Settings) -> dict[int, int]:
    """The stage's committed offsets by partition."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group_name(settings, NAME))
        return {partition.partition: kept.offset for partition, kept in offsets.items() if kept.offset >= 0}
    finally:
        await admin.close()


def with_settings(settings: Settings, **changes: object) -> Settings:
    """The settings with some of them changed."""
    return settings.model_copy(update=changes)
