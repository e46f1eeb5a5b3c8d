"""How long to wait before a message is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from shared.pipeline.retries import LONGEST_ASKED_SECONDS, LONGEST_BACKOFF_SECONDS, backoff_seconds


def test_the_wait_doubles_with_each_failure() -> None:
    waits = [backoff_seconds(1.0, failures, None, chance=0.999999) for failures in (1, 2, 3, 4)]
    assert [round(wait, 3) for wait in waits] == [1.0, 2.0, 4.0, 8.0]


def test_half_of_the_wait_is_left_to_chance() -> None:
    assert backoff_seconds(4.0, 1, None, chance=0.0) == 2.0


def test_what_the_other_side_asks_for_is_waited() -> None:
    assert backoff_seconds(1.0, 1, 30.0, chance=0.0) == 30.0


def test_a_shorter_wait_than_ours_is_not_taken_up() -> None:
    assert backoff_seconds(8.0, 1, 0.1, chance=0.0) == 4.0


@given(st.integers(1, 10**9), st.one_of(st.none(), st.floats(0, 1e300)), st.floats(0, 1, exclude_max=True))
def test_no_wait_is_longer_than_the_longest(failures: int, asked: float | None, chance: float) -> None:
    assert 0 < backoff_seconds(1.0, failures, asked, chance) <= max(LONGEST_BACKOFF_SECONDS, LONGEST_ASKED_SECONDS)
