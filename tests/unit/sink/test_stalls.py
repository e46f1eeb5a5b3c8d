"""Stalled scans: heard of too long ago, and standing still elsewhere too."""

from services.sink.stalls import Level, Place, Stalls
from shared.messages.model import ScanContext
from tests.unit.sink.samples import context


def test_a_scan_is_overdue_once_nothing_was_heard_for_the_set_time() -> None:
    stalls = Stalls(60.0)
    stalls.heard(context(1), 0.0)
    assert stalls.overdue(59.0) == []
    assert stalls.overdue(60.0) == [context(1)]


def test_whatever_is_heard_puts_it_off() -> None:
    stalls = Stalls(60.0)
    stalls.heard(context(1), 0.0)
    stalls.heard(context(2), 0.0)
    stalls.heard(context(1), 50.0)
    assert stalls.overdue(70.0) == [context(2)]


def test_a_scan_that_ended_is_watched_no_more() -> None:
    stalls = Stalls(60.0)
    stalls.heard(context(1), 0.0)
    stalls.ended(context(1))
    stalls.ended(context(2))
    assert stalls.overdue(1000.0) == []


def test_pages_that_were_stored_meanwhile_count_as_heard() -> None:
    stalls = Stalls(60.0)
    stalls.heard(context(1), 0.0)
    assert not stalls.has_stalled(context(1), 5, {}, 60.0)
    assert stalls.overdue(100.0) == []
    assert stalls.overdue(120.0) == [context(1)]
    assert stalls.has_stalled(context(1), 5, {}, 120.0)


def looks(*levels: dict[Place, Level], of: ScanContext | None = None) -> list[bool]:
    """Return what comes of looking at an overdue scan again and again, with the queues as they are then."""
    scan = of or context(1)
    stalls = Stalls(60.0)
    stalls.heard(scan, 0.0)
    return [stalls.has_stalled(scan, 0, level, 60.0 * look) for look, level in enumerate(levels, 1)]


def at(done: int, end: int, topic: str = "tags.found", partition: int = 0) -> dict[Place, Level]:
    return {(topic, partition): Level(done, end)}


def test_while_what_was_queued_is_being_worked_it_has_not_stalled() -> None:
    assert looks(at(0, 100), at(30, 200), at(60, 300), at(99, 400)) == [False, False, False, False]


def test_a_queue_that_does_not_move_has_stalled() -> None:
    assert looks(at(30, 100), at(30, 100)) == [False, True]
    assert looks(at(30, 100), at(50, 120), at(50, 130)) == [False, False, True]


def test_where_nothing_is_queued_it_has_stalled_at_once_and_a_transactions_marker_is_nothing() -> None:
    assert looks(at(100, 100)) == [True]
    assert looks(at(98, 100, "images.observed")) == [True]


def test_a_lost_message_ends_its_scan_however_busy_all_is() -> None:
    always_behind = [at(1000 * look, 1000 * look + 500) for look in range(5)]
    assert looks(*always_behind) == [False, False, False, True, True]


def test_what_is_queued_elsewhere_does_not_count() -> None:
    scan = context(1, slot=2, shards=2, partitions=4)
    assert looks(at(0, 100, partition=1), of=scan) == [True]
    assert looks(at(0, 100, partition=3), of=scan) == [False]


def test_a_queue_that_is_not_told_any_more_is_not_waited_for() -> None:
    assert looks(at(0, 100), {}) == [False, True]


def test_what_is_heard_begins_all_anew() -> None:
    stalls = Stalls(60.0)
    stalls.heard(context(1), 0.0)
    for look in range(3):
        assert not stalls.has_stalled(context(1), 0, at(1000 * look, 1000 * look + 500), 60.0)
    stalls.heard(context(1), 60.0)
    assert not stalls.has_stalled(context(1), 0, at(3000, 3500), 120.0)
