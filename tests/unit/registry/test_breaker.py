"""A registry that does not answer is left alone, and tried by one request at a time."""

import pytest

from shared.registry.breaker import FAILURES, Breaker, BreakerOpen


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.failed(now)
    return breaker


def test_a_few_failures_or_an_answer_between_do_not_open_it() -> None:
    breaker = Breaker()
    for _ in range(5):
        for _ in range(FAILURES - 1):
            breaker.failed(0.0)
        assert breaker.wait_seconds(0.0) == 0
        breaker.succeeded()
    assert not breaker.is_broken


def test_one_request_tries_after_a_while_and_the_others_wait() -> None:
    breaker = opened()
    assert breaker.is_broken
    assert breaker.wait_seconds(0.5) == pytest.approx(1.5)
    assert breaker.wait_seconds(2.0) == 0
    assert breaker.wait_seconds(2.0) > 0


def test_an_answer_closes_it_and_a_failure_doubles_the_pause_up_to_a_minute() -> None:
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(7):
        now += (pause := breaker.wait_seconds(now))
        pauses.append(round(pause))
        assert breaker.wait_seconds(now) == 0
        breaker.failed(now)
    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    breaker.succeeded()
    assert (breaker.wait_seconds(now), breaker.is_broken) == (0, False)


def test_a_short_outage_is_waited_for_and_a_long_one_fails_at_once() -> None:
    breaker = opened()
    breaker.check_patience(29.0)
    assert breaker.wait_seconds(29.0) == 0  # it tries
    breaker.failed(29.5)
    with pytest.raises(BreakerOpen) as caught:
        breaker.check_patience(31.0)
    assert (caught.value.open_seconds, caught.value.again_seconds) == (31.0, 2.5)
    breaker.check_patience(34.0)  # somebody has to try
    assert breaker.wait_seconds(34.0) == 0
    with pytest.raises(BreakerOpen):
        breaker.check_patience(34.0)


def test_a_request_that_tries_and_is_never_heard_of_is_forgotten() -> None:
    breaker = opened()
    assert breaker.wait_seconds(2.0) == 0
    assert breaker.wait_seconds(181.9) > 0
    assert breaker.wait_seconds(182.0) == 0


def test_who_only_hears_of_it_follows_and_closes_with_the_others() -> None:
    breaker = Breaker()
    breaker.hear(0.0, others=True, leads=False)
    assert breaker.wait_seconds(100.0) > 0
    assert not breaker.is_broken
    with pytest.raises(BreakerOpen):
        breaker.check_patience(100.0)
    breaker.hear(101.0, others=False, leads=False)
    assert breaker.wait_seconds(101.0) == 0


def test_of_two_that_met_failures_one_tries_and_then_the_other() -> None:
    first, second = opened(), opened()
    first.hear(0.1, others=True, leads=True)
    second.hear(0.1, others=True, leads=False)
    assert (first.wait_seconds(5.0), second.wait_seconds(5.0) > 0) == (0, True)
    first.succeeded()
    second.hear(6.0, others=False, leads=True)
    assert second.is_broken
    assert second.wait_seconds(6.0) == 0
