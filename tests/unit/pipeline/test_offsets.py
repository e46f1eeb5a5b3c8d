"""The offset that may be committed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.pipeline.offsets import OffsetTracker


def test_nothing_is_committable_before_the_first_message_is_done() -> None:
    tracker = OffsetTracker()
    tracker.received(7)
    assert tracker.committable is None


def test_a_gap_holds_back_what_is_done_behind_it() -> None:
    tracker = OffsetTracker()
    for offset in (7, 8, 9):
        tracker.received(offset)
    tracker.done(8)
    tracker.done(9)
    assert (tracker.committable, tracker.undone, tracker.span) == (None, 1, 3)
    tracker.done(7)
    assert (tracker.committable, tracker.undone, tracker.span) == (10, 0, 0)


def test_offsets_that_were_never_messages_are_no_gap() -> None:
    tracker = OffsetTracker()
    for offset in (3, 5, 6):  # 4 is a transaction's marker
        tracker.received(offset)
    tracker.done(3)
    assert tracker.committable == 4
    tracker.done(5)
    assert tracker.committable == 6


def test_a_message_cannot_be_done_twice() -> None:
    tracker = OffsetTracker()
    tracker.received(1)
    tracker.done(1)
    with pytest.raises(KeyError):
        tracker.done(1)


def test_offsets_have_to_rise() -> None:
    tracker = OffsetTracker()
    tracker.received(4)
    with pytest.raises(ValueError, match="offset 4 came after 4"):
        tracker.received(4)


@given(st.sets(st.integers(0, 60), min_size=1), st.randoms())
def test_the_committable_offset_is_the_one_below_which_everything_is_done(offsets: set[int], random: object) -> None:
    tracker = OffsetTracker()
    line = sorted(offsets)
    for offset in line:
        tracker.received(offset)
    undone = set(line)
    for offset in random.sample(line, len(line)):  # type: ignore[attr-defined]  # hypothesis types it as object
        tracker.done(offset)
        undone.discard(offset)
        below = [o for o in line if not undone or o < min(undone)]
        assert tracker.committable == (below[-1] + 1 if below else None)
        assert tracker.undone == len(undone)
        assert tracker.span == len(line) - len(below)
