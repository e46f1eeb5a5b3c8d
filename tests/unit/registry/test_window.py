"""The window rule, proved on made-up times."""

import math
from math import inf, nextafter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.registry.window import WAY_SECONDS, Window


def test_a_slot_returns_a_second_after_its_answer() -> None:
    window = Window(1)
    slot = window.take()
    slot.written(0.0)
    slot.answered(0.01)
    assert window.wait_seconds(0.02) == pytest.approx(0.991)
    assert window.wait_seconds(1.02) == 0


def test_a_slot_without_an_answer_returns_a_second_after_it_surely_arrived() -> None:
    window = Window(1)
    window.take().written(0.0)
    assert window.wait_seconds(0.0) == pytest.approx(1 + WAY_SECONDS + 0.001)


def test_a_late_answer_takes_nothing_back() -> None:
    window = Window(1)
    slot = window.take()
    slot.written(0.0)
    slot.answered(30.0)
    assert window.wait_seconds(2.0) == 0


def test_a_slot_that_is_not_written_yet_does_not_return() -> None:
    window = Window(1)
    window.take()
    assert window.wait_seconds(1000.0) == math.inf


def test_a_lower_limit_holds_at_once_and_a_higher_one_too() -> None:
    window = Window(3)
    for _ in range(3):
        window.take().written(0.0)
    window.limit = 1
    assert window.wait_seconds(0.5) > 0
    window.limit = 4
    assert window.wait_seconds(0.5) == 0


@given(limit=st.integers(1, 12), seed=st.integers(0, 2**32))
def test_no_closed_second_at_the_receiver_has_more_than_the_limit(limit: int, seed: int) -> None:
    random = Random(seed)
    window, now, arrivals = Window(limit), 0.0, []
    for _ in range(120):
        now += random.choice((0.0, 0.001, 0.02, 0.3)) * random.random()
        while wait := window.wait_seconds(now):  # a sum of floats may fall short of the time by its last bit
            now = nextafter(now + wait, inf)
        slot = window.take()
        slot.written(now)
        arrived = now + random.random() * WAY_SECONDS
        arrivals.append(arrived)
        if random.random() < 0.7:
            slot.answered(arrived + random.random() * 0.2)
    arrivals.sort()
    for first, last in zip(arrivals, arrivals[limit:], strict=False):
        assert last - first > 1.0
