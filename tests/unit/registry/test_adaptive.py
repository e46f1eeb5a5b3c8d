"""Lowered at once, restored slowly."""

import pytest

from shared.registry.adaptive import Adaptive
from shared.registry.rate_limits import Quota

RPS = 100


def test_nothing_is_lowered_to_begin_with() -> None:
    adaptive = Adaptive()
    assert (adaptive.max_rps(0.0, RPS), adaptive.max_connections(16)) == (100, 16)


def refuse(adaptive: Adaptive, now: float, times: int, sent: int) -> int:
    """Let so many of what was sent be refused within the second before, and return what is left."""
    for number in range(times):
        adaptive.later(now - 1 + (number + 1) / times, sent, RPS)
    return adaptive.max_rps(now, RPS)


def test_where_half_is_refused_it_is_halved_and_restored_by_a_fiftieth_a_second() -> None:
    adaptive = Adaptive()
    adaptive.later(10.0, 1, RPS)
    assert adaptive.max_rps(10.0, RPS) == 50
    assert adaptive.max_rps(20.0, RPS) == 70
    assert adaptive.max_rps(34.9, RPS) == 99
    assert adaptive.max_rps(35.0, RPS) == 100


def test_what_was_refused_is_taken_away_twice() -> None:
    adaptive = Adaptive()
    adaptive.later(10.0, 80, RPS)
    assert adaptive.max_rps(10.0, RPS) == 97


def test_a_registry_that_goes_on_refusing_gets_less_each_second() -> None:
    adaptive = Adaptive()
    left = [refuse(adaptive, float(now), 40, 80) for now in range(10, 14)]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 25


def test_requests_that_were_under_way_at_a_cut_are_no_reason_for_another() -> None:
    adaptive = Adaptive()
    for now in (10.0, 10.1, 10.9):
        adaptive.later(now, 1, RPS)
    assert adaptive.max_rps(10.9, RPS) == 51


def test_one_request_a_second_is_always_left() -> None:
    adaptive = Adaptive()
    left = []
    for now in range(30):
        adaptive.later(float(now), 0, 10)
        left.append(adaptive.max_rps(float(now), 10))
    assert left[:3] == [5, 3, 2]
    assert left[-1] == 1


def test_a_pause_stops_everything_for_as_long_as_was_asked_and_no_longer_than_two_minutes() -> None:
    adaptive = Adaptive()
    adaptive.hold(0.0, 30.0)
    adaptive.hold(1.0, 5.0)
    assert (adaptive.max_rps(29.9, RPS), adaptive.max_rps(30.0, RPS)) == (0, 100)
    adaptive.hold(100.0, 1e9)
    assert (adaptive.max_rps(219.9, RPS), adaptive.max_rps(220.0, RPS)) == (0, 100)


def test_a_quota_that_is_used_up_stops_everything_until_there_is_more() -> None:
    adaptive = Adaptive()
    adaptive.quota(0.0, Quota(0, 20.0, 600), RPS)
    assert (adaptive.max_rps(19.9, RPS), adaptive.max_rps(20.0, RPS)) == (0, 100)


@pytest.mark.parametrize(
    ("quota", "rps"),
    [(Quota(60, 30.0, 600), 2), (Quota(61, 30.0, 600), 100), (Quota(1, 30.0, 600), 1), (Quota(60, 30.0, None), 100)],
)
def test_a_quota_that_is_nearly_spent_is_spread(quota: Quota, rps: int) -> None:
    adaptive = Adaptive()
    adaptive.quota(0.0, quota, RPS)
    assert adaptive.max_rps(0.0, RPS) == rps


def answers(adaptive: Adaptive, seconds: float, busy: int = 16, rounds: int = 1) -> int:
    for _ in range(rounds):
        for _ in range(20):
            adaptive.answered(seconds)
        adaptive.measure(busy, 16, elapsed=0.4)
    return adaptive.max_connections(16)


def test_answers_that_become_slow_take_connections_away_and_they_come_back_one_a_second() -> None:
    adaptive = Adaptive()
    assert answers(adaptive, 0.02) == 16
    assert answers(adaptive, 0.5) == 12
    assert answers(adaptive, 0.5, busy=12) == 9
    assert answers(adaptive, 0.02, rounds=5) == 11
    assert answers(adaptive, 0.02, rounds=20) == 16


def test_at_least_one_connection_is_left() -> None:
    adaptive = Adaptive()
    answers(adaptive, 0.02)
    assert answers(adaptive, 2.0, busy=0, rounds=5) == 1


def test_a_registry_that_was_always_slow_or_is_a_little_slower_keeps_its_connections() -> None:
    slow, busy = Adaptive(), Adaptive()
    assert answers(slow, 2.0, rounds=10) == 16
    answers(busy, 0.02)
    assert answers(busy, 0.2) == 16


def test_a_registry_that_stays_slow_is_taken_as_it_is() -> None:
    adaptive = Adaptive()
    answers(adaptive, 0.2)
    assert answers(adaptive, 1.0, rounds=3) < 16
    assert answers(adaptive, 1.0, rounds=200) == 16
