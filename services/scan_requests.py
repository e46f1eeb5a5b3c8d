"""Scans asked for and cancelled: by the console, by the command line, by the lister's schedule.

Asking is a change of `connection.changed` and of `scan.requested` in one transaction under the connections' single
transactional id: of two that ask at once one asks, and the other is told of its scan.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol
from uuid import uuid4

from shared.connections.rules import NoSuchConnection
from shared.connections.snapshot import key_of_connection
from shared.connections.topic import ConnectionsTopic
from shared.connections.writer import SoleWriter, as_sole_writer
from shared.errors import PermanentError
from shared.messages.codec import encode
from shared.messages.connection_changed import CANCELLED_KEPT, Connection
from shared.messages.connection_notes import ScanAsked
from shared.messages.model import ScanContext, ScanKind, ScanReason
from shared.messages.scan_progressed import ScanCancelled, ScanProgressed
from shared.messages.scan_requested import ScanRequested
from shared.messages.topics import BY_MESSAGE
from shared.messages.tracing import trace_headers
from shared.pipeline.partitioning import key_of, partition_of
from shared.pipeline.topics import topic_name
from shared.settings import Settings
from shared.store.scan_reads import HeldBack, RunningScan

_AT_ONCE: Final = 200
"""Requests a transaction holds at most: it has to end within seconds."""

_NOT_TAKEN_FOR: Final = timedelta(hours=1)
"""A scan that was asked for, and that no lister has taken, counts as running for so long."""


class KnowsScans(Protocol):
    """What the store tells of scans."""

    async def running_scans(self, registry: str) -> Sequence[RunningScan]: ...
    async def is_scan_known(self, registry: str, scan: int) -> bool: ...
    async def held_back(self, registry: str) -> Sequence[HeldBack]: ...


class ScanRunning(PermanentError):  # says what has happened
    """The registry, or the repository, is being scanned already.  scan: by which."""

    def __init__(self, what: str, scan: int) -> None:
        super().__init__(
            f"{what} is being loaded already, by scan {scan}: wait for its end, or cancel it.", reason="scan_running"
        )
        self.scan: Final = scan


class ScanNotRunning(PermanentError):  # says what has happened
    """What is to be cancelled has ended, or never was."""

    def __init__(self, name: str, scan: int) -> None:
        super().__init__(f"{name} has no running scan {scan}: it has ended, or never was.", reason="scan_not_running")


class NothingHeld(PermanentError):  # says what has happened
    """No removal of this waits for a person."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Nothing of {what} waits to be confirmed: no scan holds removals back, or a newer one has decided.",
            reason="nothing_held",
        )


class ConnectionInactive(PermanentError):  # says what has happened
    """An inactive registry is never asked anything."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The connection {name} is inactive: its registry is not asked anything. Activate it first.",
            reason="connection_inactive",
        )


@dataclass(frozen=True)
class Wanted:
    """A scan to be asked for.  slot: the due time it is for, seconds since 1970; 0 = none.  confirmed: fuses off."""

    registry: str
    kind: ScanKind = ScanKind.FULL
    repository: str | None = None
    tag: str | None = None
    reason: ScanReason = ScanReason.MANUAL
    slot: int = 0
    confirmed: bool = False


@dataclass(frozen=True)
class Asked:
    """A scan that was asked for.  is_new: False where its slot had been taken before."""

    registry: str
    scan: int
    request: str
    is_new: bool = True


class ScanRequests:
    """Asks for scans and cancels them."""

    def __init__(self, settings: Settings, topic: ConnectionsTopic, scans: KnowsScans) -> None:
        self._settings: Final = settings
        self._topic: Final = topic
        self._scans: Final = scans

    async def ask(self, wanted: Wanted, now: datetime) -> Asked:
        """Return the scan that was asked for.

        Raises NoSuchConnection, ConnectionInactive, ScanRunning; TransientError where Kafka or the store is down.
        """
        request = _request_id(wanted)

        async def work(writer: SoleWriter) -> Asked:
            connection = _active(writer, wanted.registry)
            last = writer.now.note(ScanAsked, wanted.registry)
            if last is not None and (last.request == request or (wanted.slot and last.slot >= wanted.slot)):
                return Asked(wanted.registry, last.scan, last.request, is_new=last.request == request)
            await self._check_idle(connection, wanted, last, now)
            return await self._sent(writer, connection, wanted, request, now)

        return await as_sole_writer(self._topic, work)

    async def confirm(self, registry: str, repositories: Collection[str] | None, now: datetime) -> list[Asked]:
        """Let removals through that a fuse holds back: ask for a scan of each repository with the fuse off.

        repositories: only these; None = all that wait.
        Raises NothingHeld, NoSuchConnection, ConnectionInactive; TransientError where Kafka or the store is down.
        """
        held = [one.repository for one in await self._scans.held_back(registry)]
        chosen = [name for name in held if repositories is None or name in repositories]

        async def work(writer: SoleWriter) -> list[Asked]:
            connection = _active(writer, registry)
            missing = sorted(set(repositories or ()) - set(held))
            if missing or not chosen:
                raise NothingHeld(f"{connection.name}/{missing[0]}" if missing else connection.name)
            wanted = [Wanted(registry, ScanKind.REPOSITORY, name, confirmed=True) for name in chosen]
            return await self._all_asked(writer, connection, wanted, now)

        return await as_sole_writer(self._topic, work)

    async def hint(self, registry: str, targets: Sequence[tuple[str, str | None]], now: datetime) -> int:
        """Ask for what webhooks pointed to: repositories, or one tag of each; return how many scans that makes.

        Raises NoSuchConnection, ConnectionInactive; TransientError where Kafka is down.
        """

        async def work(writer: SoleWriter) -> int:
            wanted = [
                Wanted(
                    registry,
                    ScanKind.REPOSITORY if tag is None else ScanKind.TAG,
                    repository,
                    tag,
                    ScanReason.WEBHOOK,
                )
                for repository, tag in targets
            ]
            return len(await self._all_asked(writer, _active(writer, registry), wanted, now))

        return await as_sole_writer(self._topic, work)

    async def cancel(self, registry: str, scan: int, now: datetime) -> None:
        """Have the scan end now: the stages pass its messages over, and what was completed stays.

        Raises NoSuchConnection, ScanNotRunning; TransientError where Kafka or the store is down.
        """

        async def work(writer: SoleWriter) -> None:
            connection = writer.now.connection(registry)
            if connection is None:
                raise NoSuchConnection(registry)
            if scan in connection.cancelled:
                return
            kind = await self._running_kind(connection, writer.now.note(ScanAsked, registry), scan, now)
            numbers = (*connection.cancelled, scan)[-CANCELLED_KEPT:]
            async with writer.transaction():
                recorded = await writer.put(
                    key_of_connection(registry), connection.model_copy(update={"cancelled": numbers})
                )
                context = self._context(connection, scan, kind, recorded.offset)
                await self._send(writer, ScanProgressed(context=context, progress=ScanCancelled(at=now)))

        await as_sole_writer(self._topic, work)

    async def running(self, connection: Connection, last: ScanAsked | None, now: datetime) -> list[RunningScan]:
        """Return the registry's running scans, the one that was asked for and is not taken yet included."""
        found = list(await self._scans.running_scans(connection.registry))
        fresh = last is not None and now - last.asked_at < _NOT_TAKEN_FOR
        if last is not None and fresh and not await self._scans.is_scan_known(connection.registry, last.scan):
            found.append(RunningScan(last.scan, ScanKind.FULL.value, ()))
        return found

    async def _check_idle(self, connection: Connection, wanted: Wanted, last: ScanAsked | None, now: datetime) -> None:
        for running in await self.running(connection, last, now):
            is_same = running.kind in ("", wanted.kind.value)
            if is_same and wanted.kind is ScanKind.FULL:
                raise ScanRunning(connection.name, running.scan)
            if is_same and wanted.kind is ScanKind.REPOSITORY and wanted.repository in running.repositories:
                raise ScanRunning(f"{connection.name}/{wanted.repository}", running.scan)

    async def _running_kind(self, connection: Connection, last: ScanAsked | None, scan: int, now: datetime) -> ScanKind:
        for running in await self.running(connection, last, now):
            if running.scan == scan:
                return ScanKind(running.kind or ScanKind.FULL)
        raise ScanNotRunning(connection.name, scan)

    async def _sent(
        self, writer: SoleWriter, connection: Connection, wanted: Wanted, request: str, now: datetime
    ) -> Asked:
        async with writer.transaction():
            asked = await self._asked(writer, connection, wanted, request, now)
            if wanted.kind is ScanKind.FULL:
                last = writer.now.note(ScanAsked, wanted.registry)
                slot = max(wanted.slot, due_slot(connection, now), last.slot if last else 0)
                note = ScanAsked(registry=wanted.registry, scan=asked.scan, request=request, slot=slot, asked_at=now)
                await writer.put(ScanAsked.key(wanted.registry), note)
        return asked

    async def _all_asked(
        self, writer: SoleWriter, connection: Connection, wanted: Sequence[Wanted], now: datetime
    ) -> list[Asked]:
        """Send many targeted requests, some in each transaction."""
        asked: list[Asked] = []
        for first in range(0, len(wanted), _AT_ONCE):
            async with writer.transaction():
                for one in wanted[first : first + _AT_ONCE]:
                    asked.append(await self._asked(writer, connection, one, _request_id(one), now))  # noqa: PERF401
        return asked

    async def _asked(
        self, writer: SoleWriter, connection: Connection, wanted: Wanted, request: str, now: datetime
    ) -> Asked:
        """Send a request within a transaction."""
        record = writer.now.records[wanted.registry]
        offset = await self._send(writer, self._message(connection, record.offset, wanted, request, now))
        return Asked(wanted.registry, connection.scan_base + offset, request)

    def _message(
        self, connection: Connection, offset: int, wanted: Wanted, request: str, now: datetime
    ) -> ScanRequested:
        return ScanRequested(
            registry=wanted.registry,
            kind=wanted.kind,
            repository=wanted.repository,
            tag=wanted.tag,
            reason=wanted.reason,
            request=request,
            requested_at=now,
            connection=offset,
            slot=connection.slot,
            shards=connection.shards,
            partitions=self._settings.partitions,
            confirmed=wanted.confirmed,
        )

    def _context(self, connection: Connection, scan: int, kind: ScanKind, offset: int) -> ScanContext:
        return ScanContext(
            registry=connection.registry,
            scan=scan,
            kind=kind,
            connection=offset,
            slot=connection.slot,
            shards=connection.shards,
            partitions=self._settings.partitions,
        )

    async def _send(self, writer: SoleWriter, message: ScanRequested | ScanProgressed) -> int:
        topic = topic_name(self._settings, BY_MESSAGE[type(message)])
        return await writer.send(topic, partition_of(message), key_of(message), encode(message), trace_headers(message))


def due_slot(connection: Connection, now: datetime) -> int:
    """Return the newest due time of the connection's schedule, seconds since 1970; 0 where it has none.

    Each registry's times are shifted by a share of the interval of its own, so that they do not all start at once.
    """
    if not connection.load_full_images_list:
        return 0
    interval = connection.load_interval_seconds
    shift = int.from_bytes(sha256(connection.registry.encode()).digest()[:8]) % interval
    return (int(now.timestamp()) - shift) // interval * interval + shift


def _request_id(wanted: Wanted) -> str:
    """Return the id of the request: for a due time the same whoever asks."""
    if wanted.slot:
        return sha256(f"{wanted.registry}/{wanted.slot}".encode()).hexdigest()[:32]
    return uuid4().hex


def _active(writer: SoleWriter, registry: str) -> Connection:
    connection = writer.now.connection(registry)
    if connection is None:
        raise NoSuchConnection(registry)
    if not connection.is_active:
        raise ConnectionInactive(connection.name)
    return connection
