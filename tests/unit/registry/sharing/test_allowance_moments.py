"""What a worker may use, to the moment: from when, until when, and how soon it is computed anew."""

from shared.messages.budget_claimed import Beat
from shared.registry.sharing.allowance import (
    CONNECTIONS_TTL,
    MARGIN_SECONDS,
    REQUESTS_TTL,
    Allowance,
    Changed,
    _Rule,
)
from shared.registry.sharing.ledger import TURN_MS
from tests.unit.registry.sharing.model import REGISTRY
from tests.unit.registry.sharing.test_allowance import A, B, C, Log, claim


def test_of_a_registry_that_nobody_claims_nothing_may_be_used() -> None:
    log = Log(A)
    log.beat(0.0)
    allowance = log.by_name[A]
    assert (allowance.requests("another01"), allowance.connections("another01")) == (0, 0)


def test_a_beat_lets_its_sender_use_its_share_until_shortly_before_its_time_is_over() -> None:
    log = Log(A)
    log.beat(REQUESTS_TTL - MARGIN_SECONDS - 0.01)
    assert (log.usable(), log.connections()) == ({A: 100}, {A: 100})
    log.now = REQUESTS_TTL - MARGIN_SECONDS
    assert (log.usable(), log.connections()) == ({A: 0}, {A: 100})
    log.now = CONNECTIONS_TTL - MARGIN_SECONDS - 0.01
    assert log.connections() == {A: 100}
    log.now = CONNECTIONS_TTL - MARGIN_SECONDS
    assert log.connections() == {A: 0}


def test_another_is_unheard_once_so_much_time_has_passed() -> None:
    log = Log(A, B)
    log.beat(1.0)
    assert log.by_name[A].unheard(1.01) == []
    assert [last.worker for last in log.by_name[A].unheard(1.0)] == [B]


def test_who_does_not_read_back_its_own_beats_takes_nobody_for_unheard() -> None:
    log = Log(A, B)
    log.beat(REQUESTS_TTL - 0.01)
    assert [last.worker for last in log.by_name[A].unheard(1.0)] == [B]
    log.now = REQUESTS_TTL
    assert log.by_name[A].unheard(1.0) == []


def test_who_reads_back_a_beat_after_it_was_cut_off_gives_the_others_time_from_then_on() -> None:
    log = Log(A, B)
    log.beat(REQUESTS_TTL)
    del log.by_name[B]
    log.beat(0.0)
    assert log.by_name[A].unheard(1.0) == []


def test_who_reads_back_a_beat_in_time_gives_the_others_none() -> None:
    log = Log(A, B)
    log.beat(REQUESTS_TTL - 0.01)
    del log.by_name[B]
    log.beat(0.0)
    assert [last.worker for last in log.by_name[A].unheard(1.0)] == [B]


def beat(worker: str, number: int, want: int = 1000, limit: int = 100) -> Beat:
    return Beat(worker=worker, number=number, seen=-1, settled=-1, claims=(claim(want, limit),))


def test_a_beat_of_its_own_that_it_did_not_send_lets_it_use_nothing() -> None:
    allowance = Allowance(A, lambda: 0.0)
    allowance.read(0, beat(A, 1))
    assert allowance.requests(REGISTRY) == 0


def test_what_a_record_changed_is_told_apart_from_what_it_changed_for_this_worker() -> None:
    allowance = Allowance(A, lambda: 0.0)
    here, nothing = frozenset({REGISTRY}), frozenset[str]()
    assert allowance.read(0, beat(B, 1)) == Changed(here, nothing)  # nothing of it was its own, and is
    assert allowance.read(1, beat(A, 1)) == Changed(here, here)
    assert allowance.read(2, beat(A, 2)) == Changed(nothing, nothing)
    assert allowance.read(3, beat(B, 2, want=999)) == Changed(here, nothing)
    assert allowance.read(4, beat(C, 1)) == Changed(here, here)


def test_the_logs_time_gives_the_turn_to_another() -> None:
    allowance = Allowance(A, lambda: 0.0)
    allowance.read(0, beat(A, 1, limit=1))
    allowance.read(1, beat(B, 1, limit=1), TURN_MS - 1)
    here = frozenset({REGISTRY})
    assert allowance.read(2, beat(B, 2, limit=1), TURN_MS) == Changed(here, here)


def test_from_which_state_on_a_share_counts_is_computed_anew_once_a_step_and_after_each_record() -> None:
    """It is asked for before every request."""
    rule = _Rule(REQUESTS_TTL)
    rule.hear(-10.0, A, 0)
    rule.note(-10.0, REGISTRY, 0, 7, alone=False)

    def is_computed(now: float) -> bool:
        members = iter([A])
        assert rule.usable(now, REGISTRY, members) == 7
        return list(members) == []

    assert [is_computed(now) for now in (0.0, 0.0, 0.04, 0.05, 0.09, 1.0, 1.0, 0.99)] == [
        *(True, False, False, True, False),
        *(True, False, True),
    ]
    rule.read(0.99, 1, {A: None})  # type: ignore[dict-item]  # of the members only the names are looked at
    assert is_computed(0.99)


def test_shares_are_remembered_no_longer_than_a_beat_counts() -> None:
    rule = _Rule(REQUESTS_TTL)
    for number in range(100):
        rule.read(float(number), number, {})
        rule.note(float(number), REGISTRY, number, number % 2, alone=False)
    assert [entry.position for entry in rule._histories[REGISTRY].entries] == [95, 96, 97, 98, 99]


def test_positions_read_sooner_than_a_step_after_another_are_not_remembered() -> None:
    rule = _Rule(REQUESTS_TTL)
    for milliseconds in range(1000):
        rule.read(milliseconds / 1000, milliseconds, {})
    assert len(rule._read._known) <= 20
