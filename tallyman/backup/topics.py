"""The topics that are kept for good: connections, and what is present now. All else in Kafka is under way.

A topic is a file, a record a JSON line: key, value and headers, bytes in base64. All records are kept in their order,
those that were replaced since, too; played back, they come to the same.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.connections.records import read_record
from shared.connections.snapshot import ConnectionsSnapshot
from shared.errors import TransientError
from shared.messages.topics import CONNECTION_CHANGED, IMAGE_STATE, TAG_STATE, TopicName
from shared.pipeline.kafka import client_options
from shared.pipeline.partitioning import repository_partition
from shared.pipeline.reading import committed_reader, up_to
from shared.pipeline.topics import BATCH_BYTES, MAX_MESSAGE_BYTES, topic_name
from shared.settings import Settings
from tallyman.backup.manifest import BackupUnusable, Packed
from tallyman.backup.packing import lines_of, packed_into

KEPT: Final = (CONNECTION_CHANGED, IMAGE_STATE, TAG_STATE)
_STATES: Final = {IMAGE_STATE: "@", TAG_STATE: ":"}
"""What stands between the repository and the rest in a state's key."""

_UNACKNOWLEDGED: Final = 1000


@dataclass(frozen=True)
class Kept:
    """A record as it was kept."""

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def file_of(topic: TopicName) -> str:
    return f"{topic.name}.jsonl.gz"


async def write_topics(settings: Settings, folder: Path, files: dict[str, Packed]) -> None:
    """Write what lies on the topics up to now. Raises TransientError where Kafka cannot be read."""
    async with _told(), committed_reader(settings) as consumer:
        for topic in KEPT:
            sources = _sources(settings, topic)
            consumer.assign(sources)
            with packed_into(folder / file_of(topic), files) as file:
                async for record in up_to(consumer, await consumer.end_offsets(sources)):
                    file.write(_line(record))


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
    connections = list(_records(folder, CONNECTION_CHANGED))
    now = _snapshot(connections)
    count = 0
    async with _told(), _producer(settings) as producer:
        for topic, end in _STATES.items():
            coming: list[Any] = []
            for record in _records(folder, topic):
                partition = _partition(record, now, settings.partitions, end)
                if partition is not None:
                    coming.append(await _send(producer, topic_name(settings, topic), record, partition))
                    count += 1
                if len(coming) >= _UNACKNOWLEDGED:
                    await _acknowledged(coming)
            await _acknowledged(coming)
        for record in connections:
            await (await _send(producer, topic_name(settings, CONNECTION_CHANGED), record, 0))
    return count + len(connections)


def _snapshot(records: Sequence[Kept]) -> ConnectionsSnapshot:
    read = [read_record(record.key, record.value, number) for number, record in enumerate(records)]
    return ConnectionsSnapshot().after([one for one in read if one is not None])


def _partition(record: Kept, now: ConnectionsSnapshot, partitions: int, end: str) -> int | None:
    """Return where a state lies now, None for one of a registry that was deleted.  end: of the repository's name."""
    registry, _, rest = record.key.decode().partition("/")
    place = now.connection(registry)
    if place is None:
        return None
    return repository_partition(place.slot, place.shards, partitions, rest.rpartition(end)[0])


def _sources(settings: Settings, topic: TopicName) -> list[TopicPartition]:
    many = topic.partitions or settings.partitions
    return [TopicPartition(topic_name(settings, topic), number) for number in range(many)]


def _line(record: ConsumerRecord) -> bytes:
    told = {
        "key": b64encode(record.key or b"").decode(),
        "value": b64encode(record.value).decode() if record.value is not None else None,
        "headers": [[name, b64encode(value).decode()] for name, value in record.headers],
    }
    return json.dumps(told).encode() + b"\n"


def _records(folder: Path, topic: TopicName) -> Iterator[Kept]:
    for line in lines_of(folder / file_of(topic)):
        told = json.loads(line)
        yield Kept(
            b64decode(told["key"]),
            b64decode(told["value"]) if told["value"] is not None else None,
            tuple((name, b64decode(value)) for name, value in told["headers"]),
        )


async def _send(producer: Any, topic: str, record: Kept, partition: int) -> Any:
    return await producer.send(topic, record.value, record.key, partition, headers=list(record.headers))


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
