"""When a scan is due: a pure function of the connections, what was asked for, and the time."""

from datetime import UTC, datetime, timedelta

from services.lister.schedule import due
from services.scan_requests import due_slot
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
