"""Changes the topic. A change is one transaction; whoever starts one fences all who write, and reads all there is."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiokafka.errors import KafkaError, ProducerFenced

from shared.connections.reader import RecordReader, reading
from shared.connections.records import Noted, Recorded, written
from shared.connections.rules import (
    ConnectionSettings,
    NoSuchConnection,
    StaleEdit,
    ensured_connection,
    with_scan_base_above,
)
from shared.connections.snapshot import ConnectionsSnapshot, key_of_connection
from shared.connections.topic import ConnectionsTopic
from shared.errors import TransientError
from shared.messages.codec import encode
from shared.messages.connection_changed import Connection
from shared.messages.connection_notes import HookSecretSet, Note, ScanAsked, StatusChecked

Value = Connection | Note
States = Mapping[str, Value | None]
"""By the records' keys, what shall be; None: a tombstone."""

T = TypeVar("T")

_ATTEMPTS: Final = 12
_REFUSALS: Final = 3
"""Kafka answers a fenced writer with an unknown error now and then; a broker that is down refuses each time."""
_ATTEMPT_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0
_TRANSACTION_MS: Final = 10_000
"""A writer that dies within its transaction keeps readers from what follows for so long."""


@dataclass(frozen=True)
class Saved:
    """A connection as it was saved, and the offset of its record: what the messages of a scan carry."""

    connection: Connection
    offset: int


class SoleWriter:
    """The one who may write at this moment, having read all there is."""

    def __init__(self, topic: ConnectionsTopic, producer: Any, reader: RecordReader, now: ConnectionsSnapshot) -> None:
        self._topic: Final = topic
        self._producer: Final = producer
        self._reader: Final = reader
        self._last = -1
        self.now = now

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["SoleWriter"]:
        """Commit what the block sends, and then wait until everybody can read it; an error takes it all back."""
        async with self._producer.transaction():
            before = self._last
            yield self
        if self._last > before:
            await self._reader.read_to(self._last + 1)

    async def put(self, key: str, value: Value | None) -> Recorded | Noted:
        """Send one record of the topic, within a transaction."""
        told = await self._producer.send_and_wait(
            self._topic.name, encode(value) if value is not None else None, key.encode(), partition=0
        )
        self._last = told.offset
        recorded = written(key, value, told.offset)
        self.now = self.now.after([recorded])
        return recorded

    async def send(
        self, topic: str, partition: int, key: bytes, value: bytes | None, headers: Iterable[tuple[str, bytes]] = ()
    ) -> int:
        """Send a message of another topic within the transaction; return its offset."""
        sent = await self._producer.send_and_wait(topic, value, key, partition=partition, headers=list(headers))
        return int(sent.offset)


def new_registry_id() -> str:
    """Return a random id, never used before or again."""
    return secrets.token_hex(8)


async def save(topic: ConnectionsTopic, change: Callable[[ConnectionsSnapshot], Connection]) -> Saved:
    """Save the connection that `change` makes of what there is.

    change: pure, asked anew when another writer came first; an equal connection is not written again.
    Raises what `change` raises; TransientError where Kafka is down or other writers leave no room.
    """
    (recorded,) = await write(topic, lambda snapshot: _keyed(change(snapshot)))
    assert isinstance(recorded, Recorded)
    assert recorded.connection is not None
    return Saved(recorded.connection, recorded.offset)


async def ensure_connection(
    topic: ConnectionsTopic, target: str, settings: ConnectionSettings, partitions: int
) -> Saved:
    """Save the connection that `target` (a host, or a connection's name) means: the one there is, else a new one.

    partitions: of the chain's topics.  Raises as `rules.ensured_connection` and `save` do.
    """
    registry = new_registry_id()
    return await save(topic, lambda snapshot: ensured_connection(snapshot, registry, partitions, target, settings))


async def delete(topic: ConnectionsTopic, registry: str, revision: int | None = None) -> int:
    """Delete the registry's connection and its notes; return its tombstone's offset, also where it lay there before.

    revision: the one the person saw, None for whichever it is.
    Raises NoSuchConnection, StaleEdit; TransientError as `save` does.
    """

    def tombstones(snapshot: ConnectionsSnapshot) -> States:
        if registry not in snapshot.records:
            raise NoSuchConnection(registry)
        current = snapshot.connection(registry)
        if current is not None and revision is not None and current.revision != revision:
            raise StaleEdit(current)
        notes = [kind.key(registry) for kind in (StatusChecked, ScanAsked, HookSecretSet)]
        return {key_of_connection(registry): None, **{key: None for key in notes if key in snapshot.notes}}

    recorded = await write(topic, tombstones)
    return recorded[0].offset


async def raise_scan_bases(topic: ConnectionsTopic, highest: Mapping[str, int]) -> None:
    """Make the next scans of each registry have numbers above `highest` of it; needed when their topic is new.

    highest: registry id → the highest scan number in the store; registries without a connection are passed over.
    """

    def raised(snapshot: ConnectionsSnapshot) -> States:
        return {
            key_of_connection(connection.registry): with_scan_base_above(connection, highest[connection.registry])
            for connection, _ in snapshot.present()
            if connection.registry in highest
        }

    await write(topic, raised)


async def write(
    topic: ConnectionsTopic, change: Callable[[ConnectionsSnapshot], States]
) -> tuple[Recorded | Noted, ...]:
    """Return the records of what `change` wants, those that said so already included.

    change: pure, asked anew when another writer came first.  Raises as `save` does.
    """
    wanted: States = {}

    async def work(writer: SoleWriter) -> tuple[Recorded | Noted, ...]:
        nonlocal wanted
        if not wanted or _missing(writer.now, wanted):  # else we were fenced, but only after the commit
            wanted = change(writer.now)
        missing = _missing(writer.now, wanted)
        if missing:
            async with writer.transaction():
                for key, value in missing.items():
                    await writer.put(key, value)
        return tuple(recorded for key in wanted if (recorded := writer.now.recorded(key)) is not None)

    return await as_sole_writer(topic, work)


async def as_sole_writer(topic: ConnectionsTopic, work: Callable[[SoleWriter], Awaitable[T]]) -> T:
    """Return what `work` returns once it was done with no other writer coming between; it may be called again.

    Raises what `work` raises; TransientError where Kafka is down or other writers leave no room.
    """
    async with _turn(topic):
        return await _written(topic, work)


@asynccontextmanager
async def _turn(topic: ConnectionsTopic) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(topic.turn_seconds):
            await topic.turn.acquire()
    except TimeoutError as error:
        raise _contended() from error
    try:
        yield
    finally:
        topic.turn.release()


async def _written(topic: ConnectionsTopic, work: Callable[[SoleWriter], Awaitable[T]]) -> T:
    refusals = 0
    for attempt in range(_ATTEMPTS):
        try:
            async with (
                asyncio.timeout(_ATTEMPT_SECONDS),
                _producing(topic) as producer,
                reading(topic, topic.read_before.recalled()) as reader,
            ):
                now = await reader.read_to_end()
                topic.read_before.keep(now)
                return await work(SoleWriter(topic, producer, reader, now))
        except ProducerFenced:
            pass  # another writer came between: what it wrote is to be read first
        except (KafkaError, TimeoutError) as error:
            refusals += 1
            if refusals == _REFUSALS or isinstance(error, TimeoutError):
                raise _unsaved(topic, error) from error
        await asyncio.sleep(_pause_seconds(attempt))
    raise _contended()


def _pause_seconds(attempt: int) -> float:
    """Return how long to leave the room to others: at random, since each fences whoever is at it, and ever longer."""
    longest = min(_PAUSE_SECONDS * 2.0**attempt, _LONGEST_PAUSE_SECONDS)
    return longest * random.random()  # noqa: S311  # no secret


def _keyed(connection: Connection) -> States:
    return {key_of_connection(connection.registry): connection}


def _contended() -> TransientError:
    return TransientError(
        "The connections could not be saved: other writers came first again and again. Try again.",
        reason="connections_contended",
    )


def _unsaved(topic: ConnectionsTopic, error: Exception) -> TransientError:
    return TransientError(
        f"The connections could not be saved: Kafka answered {type(error).__name__}. Check that the brokers are up "
        f"and hold the topic {topic.name}, then try again.",
        reason="connections_unsaved",
    )


@asynccontextmanager
async def _producing(topic: ConnectionsTopic) -> AsyncIterator[Any]:
    """A producer whose start has fenced every other one and ended its transaction."""
    producer = topic.new_producer(
        **topic.options, transactional_id=topic.transactional_id, transaction_timeout_ms=_TRANSACTION_MS
    )
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


def _missing(snapshot: ConnectionsSnapshot, wanted: States) -> States:
    missing: dict[str, Value | None] = {}
    for key, value in wanted.items():
        recorded = snapshot.recorded(key)
        if recorded is None or recorded.value != value:
            missing[key] = value
    return missing
