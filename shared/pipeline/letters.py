"""Reads the dead letters of all stages: the newest ones, or one by its place."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.errors import TransientError
from shared.messages.topics import WITH_DEAD_LETTERS, dead_letter
from shared.pipeline.dead_letters import Header
from shared.pipeline.reading import committed_reader, up_to
from shared.pipeline.topics import topic_name
from shared.settings import Settings


@dataclass(frozen=True)
class Letter:
    """A dead letter.

    stage, partition, offset: where it lies.  written_at, first_seen: ms since 1970; the latter of the message itself.
    source: (topic, partition, offset) where the message lay; the topic as the cluster names it.
    omitted: the message's size in bytes where it was too large to be kept, else None.
    """

    stage: str
    partition: int
    offset: int
    written_at: int
    reason: str
    error: str
    source: tuple[str, int, int]
    first_seen: int
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    traceback: str = field(default="", repr=False)
    omitted: int | None = None

    @property
    def name(self) -> str:
        """By which people call it: stage-partition-offset."""
        return f"{self.stage}-{self.partition}-{self.offset}"


async def newest_letters(settings: Settings, stages: Iterable[str], most: int) -> list[Letter]:
    """Return the newest letters of these stages, at most so many, the newest first. Raises TransientError."""
    async with _reading(settings) as consumer:
        there = await consumer.topics()
        stage_of = {source: stage for stage in stages for source in _sources(there, settings, stage)}
        ends = await consumer.end_offsets(list(stage_of))  # before they are assigned: a fetch would hold it up
        starts = await consumer.beginning_offsets(list(stage_of))
        consumer.assign(list(stage_of))
        for source in stage_of:
            consumer.seek(source, max(starts[source], ends[source] - most))
        found = [
            _letter(stage_of[TopicPartition(record.topic, record.partition)], record)
            async for record in up_to(consumer, ends)
        ]
    return sorted(found, key=lambda letter: letter.written_at, reverse=True)[:most]


async def letter_at(settings: Settings, stage: str, partition: int, offset: int) -> Letter | None:
    """Return the letter that lies there, None where none does. Raises TransientError."""
    if stage not in WITH_DEAD_LETTERS:
        return None
    async with _reading(settings) as consumer:
        source = TopicPartition(topic_name(settings, dead_letter(stage)), partition)
        if source not in _sources(await consumer.topics(), settings, stage):
            return None
        end = (await consumer.end_offsets([source]))[source]
        start = (await consumer.beginning_offsets([source]))[source]
        if not start <= offset < end:
            return None
        consumer.assign([source])
        consumer.seek(source, offset)
        async for record in up_to(consumer, {source: end}):
            return _letter(stage, record) if record.offset == offset else None
    return None


@asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[Any]:
    try:
        async with committed_reader(settings) as consumer:
            yield consumer
    except KafkaError as error:
        raise TransientError(
            f"The dead letters could not be read: Kafka answered {type(error).__name__}. Check that the brokers are "
            "up, then try again.",
            reason="letters_unread",
        ) from error


def _sources(there: Collection[str], settings: Settings, stage: str) -> Sequence[TopicPartition]:
    """Return the partitions of a stage's letters; none where the stage was never started.  there: the topics."""
    name = topic_name(settings, dead_letter(stage))
    return [TopicPartition(name, number) for number in range(settings.partitions)] if name in there else []


def _letter(stage: str, record: ConsumerRecord) -> Letter:
    """Return the letter; what a header does not tell, or tells in another way, is empty: anybody may write there."""
    told = {name: value.decode("utf-8", "replace") for name, value in record.headers}

    def number(header: Header) -> int:
        text = told.get(header, "")
        return int(text) if text.isascii() and text.isdigit() else -1

    return Letter(
        stage=stage,
        partition=record.partition,
        offset=record.offset,
        written_at=record.timestamp,
        reason=told.get(Header.REASON, ""),
        error=told.get(Header.ERROR, ""),
        source=(told.get(Header.TOPIC, ""), number(Header.PARTITION), number(Header.OFFSET)),
        first_seen=number(Header.FIRST_SEEN),
        key=record.key,
        value=record.value,
        traceback=told.get(Header.TRACEBACK, ""),
        omitted=number(Header.OMITTED) if Header.OMITTED in told else None,
    )
