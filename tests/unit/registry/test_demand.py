"""How many requests a process could send in a second, by what waits and what is under way."""

import math

from shared.registry.demand import Demand


def world(demand: Demand, seconds: float, *, sent: int, took: float, waited: float, begun: float = 0.0) -> None:
    """Let so many requests a second wait so long and take so long."""
    events = []
    for number in range(int(sent * seconds)):
        at = begun + number / sent
        events += [(at, demand.waits), (at + waited, demand.waits_no_more)]
        events += [(at + waited, demand.sent), (at + waited + took, demand.answered)]
    for at, happens in sorted(events, key=lambda event: event[0]):
        if at < begun + seconds:
            happens(at)


def test_without_work_nothing_is_wanted() -> None:
    assert Demand(0.0).measure(1.0, 0) == 0


def test_who_never_waits_wants_what_it_sends_and_a_fifth_more() -> None:
    demand = Demand(0.0)
    world(demand, 1.0, sent=100, took=0.1, waited=0.0)
    assert demand.measure(1.0, 100) == 121


def test_who_waits_as_long_as_its_requests_take_could_send_twice_as_many() -> None:
    demand = Demand(0.0)
    world(demand, 1.0, sent=100, took=0.1, waited=0.1)
    assert 230 <= demand.measure(1.0, 100) <= 260


def test_who_waits_and_has_sent_nothing_wants_any_number() -> None:
    demand = Demand(0.0)
    demand.waits(0.0)
    assert demand.measure(1.0, 0) == math.inf


def test_a_demand_rises_at_once_and_falls_while_there_is_work_after_a_second_of_lower_measures() -> None:
    demand = Demand(0.0)
    world(demand, 1.0, sent=100, took=0.1, waited=0.0)
    demand.measure(1.0, 100)
    demand.waits(1.1)
    assert [demand.measure(1.3 + turn * 0.3, 0) for turn in range(3)] == [math.inf] * 3
    demand.waits_no_more(2.0)
    demand.sent(2.0)
    assert demand.measure(2.1, 1) == math.inf
    assert demand.measure(3.2, 1) < 5


def test_as_many_as_wait_are_wanted_between_two_measures() -> None:
    demand = Demand(0.0)
    world(demand, 1.0, sent=10, took=0.1, waited=0.0)
    assert demand.measure(1.0, 10) < 20
    for _ in range(40):
        demand.waits(1.05)
    assert demand.measure(1.05, 10) == 40


def test_who_has_nothing_to_do_for_a_while_is_idle_and_wants_nothing() -> None:
    demand = Demand(0.0)
    demand.waits(1.0)
    demand.waits_no_more(1.1)
    demand.sent(1.1)
    assert not demand.is_idle(9.0)
    demand.answered(9.0)
    assert not demand.is_idle(9.05)
    assert demand.is_idle(9.2)
    assert demand.nothing() == 0
    assert demand.measure(9.3, 0) == 0
