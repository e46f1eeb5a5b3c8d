"""Where the connections lie."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.connections.snapshot import ConnectionsSnapshot

_KEPT_SECONDS: Final = 3600.0
"""Much shorter than tombstones are kept: of what was deleted, one must still be there to be read."""


class ReadBefore:
    """What a view or a writer of this process has read of the topic, for the next writer: with thousands of
    connections, reading all there is took most of a change's time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic: Final = monotonic
        self._snapshot = ConnectionsSnapshot()
        self._kept_at = 0.0

    def keep(self, snapshot: ConnectionsSnapshot) -> None:
        """Keep what was read just now."""
        self._snapshot, self._kept_at = snapshot, self._monotonic()

    def recalled(self) -> ConnectionsSnapshot:
        """Return what was kept last, nothing where that is long ago."""
        return self._snapshot if self._monotonic() - self._kept_at < _KEPT_SECONDS else ConnectionsSnapshot()


@dataclass(frozen=True)
class ConnectionsTopic:
    """The topic of connections and how to reach it.

    options: keyword arguments of every aiokafka client (servers, TLS, SASL); kept out of repr, they hold a password.
    name: the topic's full name; it has one partition.
    transactional_id: the one id of all its writers; taking it fences whoever wrote before.
    new_producer, new_consumer: make the clients of `options` and more of aiokafka's keyword arguments.
    turn_seconds: how long a writer waits for its turn: a broker that hangs must not keep a whole line of writers
    waiting, each for all those before it.
    turn: its writers of one process go one after another; those of several fence each other.
    read_before: where the next writer goes on.
    """

    options: Mapping[str, Any] = field(repr=False)
    name: str
    transactional_id: str
    new_producer: Callable[..., Any] = field(default=AIOKafkaProducer, repr=False, compare=False)
    new_consumer: Callable[..., Any] = field(default=AIOKafkaConsumer, repr=False, compare=False)
    turn_seconds: float = field(default=30.0, repr=False, compare=False)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False, compare=False)
    read_before: ReadBefore = field(default_factory=ReadBefore, init=False, repr=False, compare=False)
