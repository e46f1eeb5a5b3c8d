"""Reads the topic from its beginning: committed records, in order, without a consumer group."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.connections.records import Noted, Recorded, read_record
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.errors import PermanentError
from shared.observability.logs import log_of

_LOG: Final = log_of("connections")

_CATCH_UP_MS: Final = 50
"""How long a read waits while the end is near: past the last record lie transaction markers, which wake nobody."""


class RecordReader:
    """Reads one topic; made by `reading`.

    end: the offset past the last record that was settled (committed or aborted) when reading began.
    position: every committed record before this offset was taken. It counts transaction markers, too.
    """

    def __init__(self, consumer: Any, partition: TopicPartition, end: int) -> None:
        self._consumer: Final = consumer
        self._partition: Final = partition
        self._end: Final = end
        self.position = 0

    async def take(self, timeout_ms: int) -> tuple[Recorded | Noted, ...]:
        """Return the next records, none when none came in time.

        A record that cannot be read is logged and left out.
        """
        batches = await self._consumer.getmany(self._partition, timeout_ms=timeout_ms)
        self.position = await self._consumer.position(self._partition)
        read = (_readable(record) for batch in batches.values() for record in batch)
        return tuple(recorded for recorded in read if recorded is not None)

    async def read_to_end(self) -> ConnectionsSnapshot:
        """Return the connections as of when reading began."""
        return await self.read_to(self._end)

    async def read_to(self, end: int) -> ConnectionsSnapshot:
        """Return what the records from here to before the offset `end` say, once they are committed."""
        snapshot = ConnectionsSnapshot()
        while self.position < end:
            snapshot = snapshot.after(await self.take(_CATCH_UP_MS))
        return snapshot


@asynccontextmanager
async def reading(topic: ConnectionsTopic) -> AsyncIterator[RecordReader]:
    """A reader at the topic's beginning. Raises KafkaError where the topic cannot be read."""
    partition = TopicPartition(topic.name, 0)
    consumer = AIOKafkaConsumer(
        **topic.options,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        await consumer.start()
        ends = await consumer.end_offsets([partition])  # first: a fetch that waits for more would hold it up
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        yield RecordReader(consumer, partition, int(ends[partition]))
    finally:
        await consumer.stop()


def _readable(record: Any) -> Recorded | Noted | None:
    try:
        return read_record(record.key, record.value, record.offset)
    except PermanentError as error:
        _LOG.warning("record ignored", offset=record.offset, key=record.key, why=error)
        return None
