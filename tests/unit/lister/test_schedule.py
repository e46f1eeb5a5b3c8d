"""When a scan is due: a pure function of the connections, what was asked for, and the time."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.lister.schedule import due, keep_schedule
from services.scan_requests import Asked, Wanted, due_slot
from shared.connections.records import Noted, Recorded
from shared.connections.snapshot import ConnectionsSnapshot
from shared.messages.connection_notes import ScanAsked
from tests.unit.connections.samples import a_connection

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
EVERY = frozenset(range(4))
DAILY = a_connection(load_full_images_list=True)


def known(connection: object = DAILY, slot: int | None = None) -> ConnectionsSnapshot:
    snapshot = ConnectionsSnapshot().after([Recorded(1, "registry1", connection)])  # type: ignore[arg-type]
    if slot is None:
        return snapshot
    note = ScanAsked(registry="registry1", scan=1, request="r", slot=slot, asked_at=NOW)
    return snapshot.after([Noted(2, ScanAsked.key("registry1"), note)])


def test_a_connection_that_was_never_loaded_is_due_at_once() -> None:
    assert list(due(known(), EVERY, 4, NOW)) == [(DAILY, due_slot(DAILY, NOW))]


def test_each_due_time_is_due_once_and_a_missed_one_is_caught_up_once() -> None:
    slot = due_slot(DAILY, NOW)
    assert list(due(known(slot=slot), EVERY, 4, NOW)) == []
    late = NOW + timedelta(days=3)
    ((_, caught_up),) = due(known(slot=slot), EVERY, 4, late)
    assert caught_up == slot + 3 * 86_400
    assert list(due(known(slot=caught_up), EVERY, 4, late)) == []


def test_only_the_owner_of_the_partition_asks_and_inactive_ones_are_left_alone() -> None:
    assert list(due(known(), frozenset({1, 2, 3}), 4, NOW)) == []
    inactive = a_connection(load_full_images_list=True, is_active=False)
    assert list(due(known(inactive), EVERY, 4, NOW)) == []
    assert list(due(known(a_connection()), EVERY, 4, NOW)) == []


def test_due_times_are_an_interval_apart_and_shifted_by_registry() -> None:
    one = due_slot(DAILY, NOW)
    assert NOW.timestamp() - 86_400 < one <= NOW.timestamp()
    assert due_slot(DAILY, NOW + timedelta(days=1)) == one + 86_400
    others = {due_slot(a_connection(f"registry{n}", load_full_images_list=True), NOW) % 86_400 for n in range(20)}
    assert len(others) > 15


class Requests:
    """Notes what is asked for; the schedule ends after the first look."""

    def __init__(self, stop: asyncio.Event) -> None:
        self.asked: list[int] = []
        self.stop = stop

    async def ask(self, wanted: Wanted, now: datetime) -> Asked:
        self.asked.append(wanted.slot)
        return Asked(wanted.registry, 1, "r")


@dataclass
class Apart:
    intervals: int

    async def of(self, connections: ConnectionsSnapshot, registry: str) -> int:
        return self.intervals


async def asked_for(intervals: int, days_later: int) -> list[int]:
    """What a schedule asks for, so many days after the last load."""
    stop = asyncio.Event()
    requests = Requests(stop)
    snapshot = known(slot=due_slot(DAILY, NOW))
    later = NOW + timedelta(days=days_later)
    stop_soon = asyncio.get_running_loop().call_later(0.05, stop.set)
    await keep_schedule(lambda: snapshot, requests, Apart(intervals), EVERY, 4, lambda: later, stop)
    stop_soon.cancel()
    return requests.asked


async def test_a_load_waits_for_as_many_intervals_as_its_hooks_are_trusted_for() -> None:
    slot = due_slot(DAILY, NOW)
    assert await asked_for(1, 1) == [slot + 86_400]
    assert await asked_for(4, 3) == []
    assert await asked_for(4, 4) == [slot + 4 * 86_400]
