"""The connections as a service sees them: follows the topic, and answers as of any offset."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from aiokafka.errors import KafkaError

from shared.connections.reader import RecordReader, reading
from shared.connections.records import Recorded
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.errors import TransientError
from shared.messages.connection_changed import Connection
from shared.observability.logs import log_of

_LOG: Final = log_of("connections")

_POLL_MS: Final = 500
_RETRY_SECONDS: Final = 1.0


class ConnectionsView:
    """Follows `connection.changed` from its beginning between `start` and `stop`.

    patience_seconds: how long `start` and `get` wait for records.
    """

    def __init__(self, topic: ConnectionsTopic, *, patience_seconds: float = 30.0) -> None:
        self._topic: Final = topic
        self._patience_seconds: Final = patience_seconds
        self._now = ConnectionsSnapshot()
        self._position = -1  # until all there was at the start is read
        self._moved = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Follow the topic; returns once what was saved before this call is read.

        Raises TransientError where that takes longer than the view's patience.
        """
        self._following = asyncio.create_task(self._follow(), name="connections view")
        self._following.add_done_callback(lambda _: self._moved.set())
        try:
            await self._patiently(partial(self._is_past, -1))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Follow no longer; `changes` ends."""
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following

    async def get(self, registry: str, offset: int) -> Connection | None:
        """Return the registry's connection as of `offset` or later, None where it was deleted.

        offset: of the record that whoever asks has seen; a view that is older waits for it.
        Raises TransientError where that takes longer than the view's patience.
        """
        await self._patiently(partial(self._is_past, offset))
        return self._now.connection(registry)

    async def latest(self, registry: str) -> Connection | None:
        """Return the registry's connection as the topic has it at this moment, None where it was deleted.

        The topic is read only where the registry is not known here yet. Raises TransientError where it cannot be.
        """
        if registry in self._now.records:
            return self._now.connection(registry)
        try:
            async with reading(self._topic, self._now) as reader:
                return (await reader.read_to_end()).connection(registry)
        except KafkaError as error:
            raise self._unread() from error

    def by_name(self, name: str) -> Connection | None:
        """Return the connection of that name, upper and lower case alike."""
        return self._now.named(name)

    def now(self) -> ConnectionsSnapshot:
        """Return all that is known at this moment, without waiting."""
        return self._now

    async def seen(self, offset: int) -> ConnectionsSnapshot:
        """Return all that is known once the record at `offset` is read. Raises TransientError as `get` does."""
        await self._patiently(partial(self._is_past, offset))
        return self._now

    def all(self) -> tuple[tuple[Connection, int], ...]:
        """Return every connection with its record's offset, by name."""
        return self._now.present()

    async def changes(self) -> AsyncIterator[Recorded]:
        """Yield the newest record of each registry, tombstones included, then each change as it comes, until `stop`.

        Records of one registry that came since the last step are yielded as one: the newest.
        """
        seen = -1
        while await self._until(partial(self._reaches_past, seen)):
            for recorded in self._now.since(seen):
                seen = recorded.offset
                yield recorded

    def _is_past(self, offset: int) -> bool:
        return self._position > offset

    def _reaches_past(self, offset: int) -> bool:
        return bool(self._now.since(offset))

    async def _patiently(self, seen: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(self._patience_seconds):
                if await self._until(seen):
                    return
        except TimeoutError:
            pass
        raise self._unread()

    def _unread(self) -> TransientError:
        return TransientError(
            f"The connections could not be read from Kafka within {self._patience_seconds:g} s: check that the "
            f"brokers are up and hold the topic {self._topic.name}.",
            reason="connections_unread",
        )

    async def _until(self, seen: Callable[[], bool]) -> bool:
        """Wait until `seen`; False where it never will be, as the view was stopped. Raises what broke the view."""
        while not seen():
            if self._following is None or self._following.cancelled():
                return False
            if self._following.done():
                self._following.result()
            await self._moved.wait()
        return True

    async def _follow(self) -> None:
        while True:
            try:
                async with reading(self._topic) as reader:
                    await self._read(reader)
            except KafkaError as error:
                _LOG.warning("connections not read, trying again", why=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self, reader: RecordReader) -> None:
        self._advance(await reader.read_to_end(), reader.position)
        while True:
            self._advance(self._now.after(await reader.take(_POLL_MS)), reader.position)

    def _advance(self, snapshot: ConnectionsSnapshot, position: int) -> None:
        self._now, self._position = snapshot, position
        self._topic.read_before.keep(snapshot)
        self._moved.set()
        self._moved = asyncio.Event()
