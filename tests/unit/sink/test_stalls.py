"""Stalled scans: heard of too long ago, and standing still elsewhere too."""

from services.sink.stalls import Stalls
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
    assert not stalls.marked(context(1), 5, 60.0)
    assert stalls.overdue(100.0) == []
    assert stalls.overdue(120.0) == [context(1)]
    assert stalls.marked(context(1), 5, 120.0)
