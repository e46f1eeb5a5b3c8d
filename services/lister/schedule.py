"""Periodic loading: each due time of a connection's schedule asks for one scan, however many listers run."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Final, Protocol

from services.scan_requests import Asked, ScanRunning, Wanted, due_slot
from shared.connections.snapshot import ConnectionsSnapshot
from shared.errors import TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.connection_notes import ScanAsked
from shared.messages.model import ScanReason
from shared.observability.logs import log_of

_LOG: Final = log_of("schedule")
_TICK_SECONDS: Final = 1.0


class KnowsStretches(Protocol):
    """Tells how many intervals may lie between two loads (`services.sweeps`)."""

    async def of(self, connections: ConnectionsSnapshot, registry: str) -> int: ...


class AsksForScans(Protocol):
    """Asks for a scan, once for each slot (`services.scan_requests`)."""

    async def ask(self, wanted: Wanted, now: datetime) -> Asked: ...


async def keep_schedule(
    connections: Callable[[], ConnectionsSnapshot],
    requests: AsksForScans,
    stretches: KnowsStretches,
    owned: Collection[int],
    partitions: int,
    clock: Callable[[], datetime],
    stop: asyncio.Event,
    tick_seconds: float = _TICK_SECONDS,
) -> None:
    """Ask for what is due of the registries whose slot lies in the partitions `owned` at each moment, until `stop`.

    stretches: while a registry's hooks prove complete, its due times are further apart.  clock: the time in UTC.
    A due time that passed while nobody was here is caught up once; one that comes during a scan waits for its end.
    """
    while not stop.is_set():
        now, known = clock(), connections()
        for connection, slot in due(known, frozenset(owned), partitions, now):
            if await _is_far_enough(stretches, known, connection, slot):
                await _ask(requests, connection, slot, now)
        with suppress(TimeoutError):
            async with asyncio.timeout(tick_seconds):
                await stop.wait()


def due(
    now_known: ConnectionsSnapshot, owned: frozenset[int], partitions: int, now: datetime
) -> Iterator[tuple[Connection, int]]:
    """Yield the active connections for whose newest due time no scan was asked for yet, with that time. Pure."""
    for connection, _ in now_known.present():
        slot = due_slot(connection, now)
        asked = now_known.note(ScanAsked, connection.registry)
        is_ours = connection.slot % partitions in owned
        if is_ours and connection.is_active and slot and (asked is None or asked.slot < slot):
            yield connection, slot


async def _is_far_enough(
    stretches: KnowsStretches, known: ConnectionsSnapshot, connection: Connection, slot: int
) -> bool:
    """Return whether enough intervals have passed since the last load that was asked for."""
    asked = known.note(ScanAsked, connection.registry)
    if asked is None or not asked.slot:
        return True
    try:
        intervals = await stretches.of(known, connection.registry)
    except TallymanError as error:
        _LOG.warning("sweeps not known, keeping the interval", registry=connection.name, why=error)
        intervals = 1
    return intervals == 1 or slot - asked.slot >= intervals * connection.load_interval_seconds


async def _ask(requests: AsksForScans, connection: Connection, slot: int, now: datetime) -> None:
    try:
        asked = await requests.ask(Wanted(connection.registry, reason=ScanReason.SCHEDULE, slot=slot), now)
    except ScanRunning:
        return  # asked again at each tick, until that scan has ended
    except TallymanError as error:
        _LOG.warning("scheduled scan not asked for, trying again", registry=connection.name, why=error)
        return
    if asked.is_new:
        _LOG.info("scheduled scan asked for", registry=connection.name, scan=asked.scan)
