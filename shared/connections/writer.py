"""Changes the topic. A change is one transaction; whoever starts one fences all who write, and reads all there is."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced

from shared.connections.reader import RecordReader, reading
from shared.connections.records import Recorded, record_key
from shared.connections.rules import (
    ConnectionSettings,
    NoSuchConnection,
    ensured_connection,
    with_scan_base_above,
)
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.errors import TransientError
from shared.messages.codec import encode
from shared.messages.connection_changed import Connection

States = Mapping[str, Connection | None]
"""By registry id, the connection that shall be; None: deleted."""

_ATTEMPTS: Final = 12
_REFUSALS: Final = 3
"""Kafka answers a fenced writer with an unknown error now and then; a broker that is down refuses each time."""
_ATTEMPT_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.05
_TRANSACTION_MS: Final = 10_000
"""A writer that dies within its transaction keeps readers from what follows for so long."""


@dataclass(frozen=True)
class Saved:
    """A connection as it was saved, and the offset of its record: what the messages of a scan carry."""

    connection: Connection
    offset: int


def new_registry_id() -> str:
    """Return a random id, never used before or again."""
    return secrets.token_hex(8)


async def save(topic: ConnectionsTopic, change: Callable[[ConnectionsSnapshot], Connection]) -> Saved:
    """Save the connection that `change` makes of what there is.

    change: pure, asked anew when another writer came first; an equal connection is not written again.
    Raises what `change` raises; TransientError where Kafka is down or other writers leave no room.
    """
    (recorded,) = await _write(topic, lambda snapshot: _keyed(change(snapshot)))
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


async def delete(topic: ConnectionsTopic, registry: str) -> int:
    """Delete the registry's connection; return its tombstone's offset, also where it lay there before.

    Raises NoSuchConnection; TransientError as `save` does.
    """

    def tombstone(snapshot: ConnectionsSnapshot) -> States:
        if registry not in snapshot.records:
            raise NoSuchConnection(registry)
        return {registry: None}

    (recorded,) = await _write(topic, tombstone)
    return recorded.offset


async def raise_scan_bases(topic: ConnectionsTopic, highest: Mapping[str, int]) -> None:
    """Make the next scans of each registry have numbers above `highest` of it; needed when their topic is new.

    highest: registry id → the highest scan number in the store; registries without a connection are passed over.
    """

    def raised(snapshot: ConnectionsSnapshot) -> States:
        return {
            connection.registry: with_scan_base_above(connection, highest[connection.registry])
            for connection, _ in snapshot.present()
            if connection.registry in highest
        }

    await _write(topic, raised)


def _keyed(connection: Connection) -> States:
    return {connection.registry: connection}


async def _write(topic: ConnectionsTopic, change: Callable[[ConnectionsSnapshot], States]) -> tuple[Recorded, ...]:
    """Return the records of what `change` wants, those that said so already included."""
    wanted: States = {}
    refusals = 0
    for attempt in range(_ATTEMPTS):
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS), _sole_writer(topic) as producer, reading(topic) as reader:
                snapshot = await reader.read_to_end()
                if not wanted or _missing(snapshot, wanted):  # else we were fenced, but only after the commit
                    wanted = change(snapshot)
                return await _commit(producer, reader, topic, snapshot, wanted)
        except ProducerFenced:
            pass  # another writer came between: what it wrote is to be read first
        except (KafkaError, TimeoutError) as error:
            refusals += 1
            if refusals == _REFUSALS or isinstance(error, TimeoutError):
                raise _unsaved(topic, error) from error
        # some randomness, so that two do not fence each other for ever
        await asyncio.sleep(_PAUSE_SECONDS * (attempt + random.random()))  # noqa: S311  # no secret
    raise TransientError(
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
async def _sole_writer(topic: ConnectionsTopic) -> AsyncIterator[Any]:
    """A producer whose start has fenced every other one and ended its transaction."""
    producer = AIOKafkaProducer(
        **topic.options, transactional_id=topic.transactional_id, transaction_timeout_ms=_TRANSACTION_MS
    )
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


async def _commit(
    producer: Any, reader: RecordReader, topic: ConnectionsTopic, snapshot: ConnectionsSnapshot, wanted: States
) -> tuple[Recorded, ...]:
    missing = _missing(snapshot, wanted)
    if missing:
        async with producer.transaction():
            sent = [await _send(producer, topic, registry, state) for registry, state in missing.items()]
        # a commit answers before all can read it: whoever asks once we are back shall find it
        await reader.read_to(sent[-1].offset + 1)
        snapshot = snapshot.after(sent)
    return tuple(snapshot.records[registry] for registry in wanted)


async def _send(producer: Any, topic: ConnectionsTopic, registry: str, state: Connection | None) -> Recorded:
    value = encode(state) if state is not None else None
    told = await producer.send_and_wait(topic.name, value, record_key(registry), partition=0)
    return Recorded(told.offset, registry, state)


def _missing(snapshot: ConnectionsSnapshot, wanted: States) -> States:
    return {
        registry: connection
        for registry, connection in wanted.items()
        if registry not in snapshot.records or snapshot.records[registry].connection != connection
    }
