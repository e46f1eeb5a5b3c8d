"""Reads the topic: committed records, in order, without a consumer group."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import TopicPartition

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

    known: what was read of it before.
    end: the offset past the last record that was settled (committed or aborted) when reading began.
    position: every committed record before this offset was taken. It counts transaction markers, too.
    """

    def __init__(self, consumer: Any, partition: TopicPartition, known: ConnectionsSnapshot, end: int) -> None:
        self._consumer: Final = consumer
        self._partition: Final = partition
        self._known: Final = known
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
        """Return the connections as of when reading began.

        What is known is read on from its newest record. Where that is not there any more, or is another, the log is
        not the one that was read: all of it is read.
        """
        newest = self._known.newest()
        if newest is not None:
            self._consumer.seek(self._partition, newest.offset)
            read = await self.read_to(self._end)
            if read[:1] == [newest]:
                return self._known.after(read)
            self.position = 0
        await self._consumer.seek_to_beginning(self._partition)
        return ConnectionsSnapshot().after(await self.read_to(self._end))

    async def read_to(self, end: int) -> list[Recorded | Noted]:
        """Return the records from here to before the offset `end`, once they are committed."""
        read: list[Recorded | Noted] = []
        while self.position < end:
            read += await self.take(_CATCH_UP_MS)
        return read


_NOTHING: Final = ConnectionsSnapshot()


@asynccontextmanager
async def reading(topic: ConnectionsTopic, known: ConnectionsSnapshot = _NOTHING) -> AsyncIterator[RecordReader]:
    """A reader of the topic.  known: what was read of it before, and need not be read again.

    Raises KafkaError where the topic cannot be read.
    """
    partition = TopicPartition(topic.name, 0)
    consumer = topic.new_consumer(
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
        yield RecordReader(consumer, partition, known, int(ends[partition]))
    finally:
        await consumer.stop()


def _readable(record: Any) -> Recorded | Noted | None:
    try:
        return read_record(record.key, record.value, record.offset)
    except PermanentError as error:
        _LOG.warning("record ignored", offset=record.offset, key=record.key, why=error)
        return None
