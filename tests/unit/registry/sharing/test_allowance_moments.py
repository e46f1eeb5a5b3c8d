"""What a worker may use, to the moment: from when, until when, and how soon it is computed anew."""

from shared.registry.sharing.allowance import CONNECTIONS_TTL, MARGIN_SECONDS, REQUESTS_TTL, _Rule
from tests.unit.registry.sharing.model import REGISTRY
from tests.unit.registry.sharing.test_allowance import A, B, Log


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
