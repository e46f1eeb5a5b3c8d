"""The topics that are kept for good: connections, and what is present now. All else in Kafka is under way.

A record is a JSON line: topic, partition, key, value and headers, bytes in base64. All records are kept in their order,
those that were replaced since, too; played back, they come to the same.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.connections.records import Recorded, read_record
from shared.errors import TransientError
from shared.messages.connection_changed import Connection
from shared.messages.topics import CONNECTION_CHANGED, IMAGE_STATE, TAG_STATE, TopicName
from shared.pipeline.kafka import client_options
from shared.pipeline.partitioning import repository_partition
from shared.pipeline.reading import committed_reader, up_to
from shared.pipeline.topics import BATCH_BYTES, MAX_MESSAGE_BYTES, topic_name
from shared.settings import Settings
from tallyman.backup.manifest import BackupUnusable
from tallyman.backup.packing import PackedFile, lines_of

KEPT: Final = (CONNECTION_CHANGED, IMAGE_STATE, TAG_STATE)
FILE: Final = "topics.jsonl.gz"
_ENDS: Final = {IMAGE_STATE.name: "@", TAG_STATE.name: ":"}
"""What stands between the repository and the rest in a state's key."""

_UNACKNOWLEDGED: Final = 1000


@dataclass(frozen=True)
class Kept:
    """A record as it was kept.  topic: without prefix."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


async def write_topics(settings: Settings, file: PackedFile) -> None:
    """Write what lies on the topics up to now. Raises TransientError where Kafka cannot be read."""
    async with _told(), committed_reader(settings) as consumer:
        for topic in KEPT:
            sources = _sources(settings, topic)
            consumer.assign(sources)
            await consumer.seek_to_beginning(*sources)
            async for record in up_to(consumer, await consumer.end_offsets(sources)):
                file.write(_line(topic, record))


async def check_empty(settings: Settings) -> None:
    """Raise BackupUnusable where there are connections already: two installations must not be mixed."""
    async with _told(), committed_reader(settings) as consumer:
        sources = _sources(settings, CONNECTION_CHANGED)
        ends, begins = await consumer.end_offsets(sources), await consumer.beginning_offsets(sources)
    if ends != begins:
        raise BackupUnusable(
            f"{sources[0].topic} holds connections already. Restore into topics of their own: set "
            "TALLYMAN_TOPIC_PREFIX to one that is not used, or give a cluster without Tallyman's topics."
        )


async def restore_topics(settings: Settings, folder: Path) -> int:
    """Put the records back, each where its registry's messages lie now; return how many.

    Connections come last: until then nothing begins, and a restore that broke off can be begun anew.
    """
    records = list(_connections(folder))
    places = _places(records)
    count = 0
    async with _told(), _producer(settings) as producer:
        coming: list[Any] = []
        for record in _states(folder):
            partition = _partition(record, places, settings.partitions)
            if partition is not None:
                coming.append(await _send(settings, producer, record, partition))
                count += 1
            if len(coming) >= _UNACKNOWLEDGED:
                await _acknowledged(coming)
        await _acknowledged(coming)
        for record in records:
            await (await _send(settings, producer, record, 0))
    return count + len(records)


def _connections(folder: Path) -> Iterator[Kept]:
    return (record for record in _records(folder) if record.topic == CONNECTION_CHANGED.name)


def _states(folder: Path) -> Iterator[Kept]:
    return (record for record in _records(folder) if record.topic in _ENDS)


def _places(records: list[Kept]) -> dict[str, Connection]:
    """Return the connections there are at last, by registry."""
    found: dict[str, Connection] = {}
    for record in records:
        read = read_record(record.key, record.value, 0)
        if isinstance(read, Recorded) and read.connection is not None:
            found[read.registry] = read.connection
        elif isinstance(read, Recorded):
            found.pop(read.registry, None)
    return found


def _partition(record: Kept, places: dict[str, Connection], partitions: int) -> int | None:
    """Return where a state lies now, None for one of a registry that was deleted."""
    registry, _, rest = record.key.decode().partition("/")
    place = places.get(registry)
    if place is None:
        return None
    return repository_partition(place.slot, place.shards, partitions, rest.rpartition(_ENDS[record.topic])[0])


def _sources(settings: Settings, topic: TopicName) -> list[TopicPartition]:
    many = topic.partitions or settings.partitions
    return [TopicPartition(topic_name(settings, topic), number) for number in range(many)]


def _line(topic: TopicName, record: ConsumerRecord) -> bytes:
    told = {
        "topic": topic.name,
        "key": b64encode(record.key or b"").decode(),
        "value": b64encode(record.value).decode() if record.value is not None else None,
        "headers": [[name, b64encode(value).decode()] for name, value in record.headers],
    }
    return json.dumps(told).encode() + b"\n"


def _records(folder: Path) -> Iterator[Kept]:
    for line in lines_of(folder / FILE):
        told = json.loads(line)
        yield Kept(
            told["topic"],
            b64decode(told["key"]),
            b64decode(told["value"]) if told["value"] is not None else None,
            tuple((name, b64decode(value)) for name, value in told["headers"]),
        )


async def _send(settings: Settings, producer: Any, record: Kept, partition: int) -> Any:
    topic = next(topic for topic in KEPT if topic.name == record.topic)
    return await producer.send(
        topic_name(settings, topic), record.value, record.key, partition, headers=list(record.headers)
    )


async def _acknowledged(coming: list[Any]) -> None:
    for one in coming:
        await one
    coming.clear()


@asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[Any]:
    options = {"enable_idempotence": True, "max_request_size": MAX_MESSAGE_BYTES, "max_batch_size": BATCH_BYTES}
    producer = AIOKafkaProducer(**client_options(settings), **options)
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    try:
        yield
    except KafkaError as error:
        raise TransientError(
            f"Kafka answered {type(error).__name__}. Check that the brokers are up, then begin anew.",
            reason="broker_refused",
        ) from error
