"""What the agents are made of on Faust: their streams, their table, and how they send."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import faust
from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

from services.trigger.guard import NAME, Delivery, Guard
from services.trigger.rules import Received
from shared.errors import TransientError
from shared.messages.cloud_events import Headers
from shared.messages.topics import (
    DELIVERY_REQUESTED,
    IMAGE_EVENTS,
    SCAN_TRIGGERS,
    TRIGGER_WANTED,
    TopicName,
    dead_letter,
)
from shared.pipeline.dead_letters import Origin, dead_letter_of
from shared.pipeline.partitioning import digest_partition
from shared.pipeline.topics import topic_name
from shared.settings import Settings

_TABLE: Final = "triggered"
_STORE_OPTIONS: Final = {
    "driver": "rocksdict",
    # The defaults are gigabytes for each partition.
    "block_cache_size": 8 << 20,
    "write_buffer_size": 4 << 20,
    "max_write_buffer_number": 2,
}


class Agents:
    """The agents of an app, each behind its guard, and what their rules are given.

    fail: told the error for which the service cannot go on.  first_backoff: seconds before a second try.
    """

    def __init__(
        self, app: faust.App, settings: Settings, fail: Callable[[Exception], None], first_backoff: float
    ) -> None:
        self._app: Final = app
        self._settings: Final = settings
        self._fail: Final = fail
        self._first_backoff: Final = first_backoff
        self._topics: Final = {
            topic: app.topic(topic_name(settings, topic), key_type=bytes, value_type=bytes)
            for topic in (IMAGE_EVENTS, TRIGGER_WANTED, SCAN_TRIGGERS, DELIVERY_REQUESTED, dead_letter(NAME))
        }
        self.triggered: Final = Table(
            app.Table(_TABLE, key_type=bytes, value_type=bytes, partitions=settings.partitions, options=_STORE_OPTIONS)
        )
        self._guards: list[Guard] = []
        self._listening = self._revoked  # a signal holds its listeners weakly
        app.on_partitions_revoked.connect(self._listening)  # type: ignore[arg-type]  # it names no argument

    def add(self, name: str, source: TopicName, work: Callable[[Received], Awaitable[None]]) -> None:
        """Add an agent that works a topic's records, one after another."""
        guard = Guard(self._settings, self._bury, self._fail, first_backoff=self._first_backoff)
        self._guards.append(guard)

        async def agent(stream: Any) -> None:
            await guard.run(_deliveries(stream.noack()), work)

        self._app.agent(self._topics[source], name=f"{NAME}.{name}", concurrency=1)(agent)

    async def send(self, topic: TopicName, key: bytes, value: bytes, headers: Headers) -> None:
        """Send a record; return once the broker has acknowledged it. Raises TransientError."""
        await self._sent(topic, key, value, digest_partition(key, self._settings.partitions), list(headers))

    async def _bury(self, delivery: Delivery, error: Exception) -> None:
        origin = delivery.origin
        key, value, headers = dead_letter_of(NAME, origin, delivery.key, delivery.record.value, error)
        headers += delivery.record.headers  # of an event in the binary mode they are half of it
        await self._sent(dead_letter(NAME), key, value, origin.partition, headers)

    async def _sent(
        self, topic: TopicName, key: bytes | None, value: bytes | None, partition: int, headers: list[tuple[str, bytes]]
    ) -> None:
        try:
            coming = await self._topics[topic].send(key=key, value=value, partition=partition, headers=headers)
            await coming
        except (KafkaError, ProducerSendError) as error:
            raise TransientError(
                f"Kafka did not take a record for {topic}: {type(error).__name__}.", reason="not_sent"
            ) from error

    async def _revoked(self, _app: Any, revoked: Any, **_: Any) -> None:
        partitions = {(source.topic, source.partition) for source in revoked}
        for guard in self._guards:
            guard.forget(partitions)


@dataclass(frozen=True)
class Table:
    """The changelog-backed table; a write goes to the partition of the event at work."""

    table: Any

    def last(self, entry: bytes) -> bytes | None:
        """Return the id of the last trigger of a digest and platform, None where there was none."""
        found: bytes | None = self.table.get(entry)
        return found

    def keep(self, entry: bytes, id_: bytes) -> None:
        """Write it."""
        self.table[entry] = id_


@dataclass(frozen=True)
class _Origin:
    topic: str
    partition: int
    offset: int
    timestamp: int


@dataclass(frozen=True)
class _Event:
    """A Faust event as the guard knows it."""

    stream: Any
    event: faust.EventT[bytes]

    @property
    def record(self) -> Received:
        message = self.event.message
        return Received(_pairs(message.headers), message.value, message.offset)

    @property
    def key(self) -> bytes | None:
        return self.event.message.key

    @property
    def origin(self) -> Origin:
        message = self.event.message
        return _Origin(message.topic, message.partition, message.offset, int((message.timestamp or 0) * 1000))

    async def acknowledge(self) -> None:
        await self.stream.ack(self.event)


def _pairs(headers: Any) -> Headers:
    """Return a record's headers as the consumer gave them."""
    return tuple(headers.items() if isinstance(headers, Mapping) else headers or ())


async def _deliveries(stream: Any) -> AsyncIterator[Delivery]:
    async for event in stream.events():
        yield _Event(stream, event)
