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


def test_a_demand_rises_at_once_and_falls_after_three_lower_measures() -> None:
    demand = Demand(0.0)
    world(demand, 1.0, sent=100, took=0.1, waited=0.0)
    demand.measure(1.0, 100)
    assert [demand.measure(1.4 + turn, 0) for turn in range(3)] == [121, 121, 0]
