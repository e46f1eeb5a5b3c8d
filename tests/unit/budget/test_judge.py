"""The judge sees what is wrong: too many in a closed second, too many open, too little used, a backlog that ended."""

from typing import Any

from tests.budget.judge import is_well, judged
from tests.fakes.counting_registry import most_in_a_second

SECOND = 1_000_000_000
Line = dict[str, Any]


def log(times: list[int], *, left: int = 1, faults: bool = False, connections: int = 1) -> list[Line]:
    """A registry of ten requests a second and two connections, measured for two seconds."""
    lines: list[Line] = [{"event": "registry", "max_rps": 10, "max_connections": 2, "faults": faults}]
    lines += [{"event": "open", "connection": number, "at": 0} for number in range(connections)]
    lines += [{"event": "begins", "at": 0}, {"event": "ends", "at": 2 * SECOND, "left": left}]
    lines += [{"event": "request", "connection": 0, "at": at} for at in times]
    return [{"registry": "r", **line} for line in lines]


def even(rps: float, seconds: float = 2.0) -> list[int]:
    return [round(number * SECOND / rps) for number in range(int(rps * seconds))]


def test_a_budget_that_is_used_is_well() -> None:
    (verdict,) = judged(log(even(9.9)))
    assert (verdict["most_in_a_second"], verdict["used"]) == (10, 0.95)
    assert is_well(verdict)


def test_a_window_is_closed() -> None:
    assert most_in_a_second([0, SECOND], SECOND) == 2
    (verdict,) = judged(log(even(10)))
    assert verdict["most_in_a_second"] == 11
    assert not is_well(verdict)
    assert most_in_a_second([0, SECOND + 1], SECOND) == 1


def test_a_burst_over_the_limit_is_wrong_with_faults_too() -> None:
    for faults in (False, True):
        (verdict,) = judged(log([*even(9.9), *([SECOND] * 5)], faults=faults))
        assert verdict["most_in_a_second"] > 10
        assert not is_well(verdict)


def test_too_many_connections_are_wrong() -> None:
    (verdict,) = judged(log(even(9.9), connections=3))
    assert verdict["most_connections"] == 3
    assert not is_well(verdict)


def test_a_budget_that_is_not_used_is_wrong_unless_there_were_faults() -> None:
    (calm,), (faulty,) = judged(log(even(5))), judged(log(even(5), faults=True))
    assert not is_well(calm)
    assert is_well(faulty)


def test_short_loads_are_measured_as_wholes_from_their_first_to_their_last_request() -> None:
    pairs = [{"event": event, "at": at * SECOND, "left": 0} for event, at in (("begins", 4), ("ends", 6))]
    for rps, used in ((8, 0.8), (5, 0.5)):
        second = [4 * SECOND + at for at in even(rps)]
        head, *lines = log([*even(rps), *second], left=0)
        (verdict,) = judged([{**head, "loads": 2}, *lines, *({"registry": "r", **line} for line in pairs)])
        assert verdict["used"] == used
        assert is_well(verdict) == (used > 0.75)


def test_use_without_a_backlog_proves_nothing() -> None:
    (verdict,) = judged(log(even(9.9), left=0))
    assert not is_well(verdict)
