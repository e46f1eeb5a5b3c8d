"""The log, folded: what each record changes, what is void, and whose claims count."""

import pytest

from shared.messages.budget_claimed import Beat, Claim, Gone, Silent
from shared.registry.sharing.ledger import TURN_MS, Ledger, Share

A, B = "worker0a", "worker0b"
ONE, TWO = "registry01", "registry02"


def claim(registry: str = ONE, requests: int = 100, limit: int = 10, connections: int = 100, most: int = 4) -> Claim:
    return Claim(
        registry=registry,
        stage=0,
        requests=requests,
        connections=connections,
        max_rps=limit,
        max_connections=most,
    )


def beat(worker: str, number: int, *claims: Claim) -> Beat:
    return Beat(worker=worker, number=number, seen=-1, settled=-1, claims=claims)


def folded(*records: Beat | Silent | Gone) -> Ledger:
    ledger = Ledger()
    for position, record in enumerate(records):
        ledger.read(position, record)
    return ledger


def test_a_ledger_that_has_read_nothing_knows_nobody_and_nothing() -> None:
    ledger = Ledger()
    assert (ledger.position, ledger.members, ledger.silent) == (-1, {}, set())
    assert (ledger.shares(ONE), ledger.heard_claims(ONE)) == ({}, {})


def test_the_position_is_that_of_the_last_record_though_it_was_void() -> None:
    ledger = folded(beat(A, 1))
    ledger.read(7, beat(A, 1, claim()))
    assert ledger.position == 7


def test_a_registry_is_divided_among_those_that_claim_it() -> None:
    ledger = folded(beat(A, 1, claim(ONE)), beat(B, 1, claim(ONE), claim(TWO)))
    assert ledger.shares(ONE) == {A: Share(5, 2), B: Share(5, 2)}
    assert ledger.shares(TWO) == {B: Share(10, 4)}


def test_a_worker_further_downstream_gets_what_it_wants_first() -> None:
    upstream, downstream = claim(limit=100, most=100), claim(limit=100, most=100).model_copy(update={"stage": 2})
    ledger = folded(beat(A, 1, downstream), beat(B, 1, upstream))
    assert ledger.shares(ONE) == {A: Share(98, 98), B: Share(2, 2)}


def test_shares_are_a_copy() -> None:
    ledger = folded(beat(A, 1, claim()))
    ledger.shares(ONE).clear()
    assert ledger.shares(ONE) == {A: Share(10, 4)}


def test_only_registries_of_which_something_else_is_claimed_are_touched() -> None:
    ledger = folded(beat(A, 1, claim(ONE), claim(TWO)))
    assert ledger.read(1, beat(A, 2, claim(ONE), claim(TWO))) == frozenset()
    assert ledger.read(2, beat(A, 3, claim(ONE), claim(TWO, requests=1))) == {TWO}
    assert ledger.read(3, beat(A, 4, claim(TWO, requests=1))) == {ONE}
    assert (ledger.shares(ONE), ledger.shares(TWO)) == ({}, {A: Share(10, 4)})
    assert ledger.read(4, beat(A, 5, claim(ONE), claim(TWO, requests=1))) == {ONE}
    assert ledger.shares(ONE) == {A: Share(10, 4)}


@pytest.mark.parametrize("number", [1, 2])
def test_a_beat_that_is_not_newer_than_the_last_is_void(number: int) -> None:
    ledger = folded(beat(A, 2, claim(ONE)))
    assert ledger.read(1, beat(A, number, claim(TWO))) == frozenset()
    assert ledger.heard_claims(ONE).keys() == {A}
    assert ledger.heard_claims(TWO) == {}


def test_who_is_silent_keeps_its_connections_and_gives_its_requests_to_others() -> None:
    ledger = folded(beat(A, 1, claim(ONE)), beat(B, 1, claim(ONE), claim(TWO)))
    assert ledger.read(2, Silent(worker=B, number=1)) == {ONE, TWO}
    assert ledger.silent == {B}
    assert ledger.shares(ONE) == {A: Share(10, 2), B: Share(0, 2)}
    assert ledger.shares(TWO) == {B: Share(0, 4)}
    assert (ledger.heard_claims(ONE), ledger.heard_claims(TWO)) == ({A: claim(ONE)}, {})


def test_the_limit_of_one_that_is_silent_holds_for_connections_alone() -> None:
    """It may hold as many open; of requests it sends none, and what it knew of their limit may be old."""
    ledger = folded(beat(A, 1, claim(ONE, limit=10, most=8)), beat(B, 1, claim(ONE, limit=6, most=4)))
    assert ledger.shares(ONE) == {A: Share(3, 2), B: Share(3, 2)}
    ledger.read(2, Silent(worker=B, number=1))
    assert ledger.shares(ONE) == {A: Share(10, 2), B: Share(0, 2)}


def test_a_beat_of_one_that_was_silent_brings_its_share_of_all_it_claims_back() -> None:
    ledger = folded(beat(A, 1, claim(ONE)), beat(B, 1, claim(ONE), claim(TWO)), Silent(worker=B, number=1))
    assert ledger.read(3, beat(B, 2, claim(ONE), claim(TWO))) == {ONE, TWO}
    assert ledger.silent == set()
    assert ledger.shares(ONE) == {A: Share(5, 2), B: Share(5, 2)}


def test_who_was_silent_and_drops_a_registry_leaves_it_to_others() -> None:
    ledger = folded(beat(A, 1, claim(ONE)), beat(B, 1, claim(ONE), claim(TWO)), Silent(worker=B, number=1))
    assert ledger.read(3, beat(B, 2, claim(TWO))) == {ONE, TWO}
    assert (ledger.shares(ONE), ledger.shares(TWO)) == ({A: Share(10, 4)}, {B: Share(10, 4)})


def test_who_is_gone_holds_nothing_and_is_no_member() -> None:
    ledger = folded(beat(A, 1, claim(ONE)), beat(B, 1, claim(ONE), claim(TWO)), Silent(worker=B, number=1))
    assert ledger.read(3, Gone(worker=B, number=1)) == {ONE, TWO}
    assert (ledger.members.keys(), ledger.silent) == ({A}, set())
    assert (ledger.shares(ONE), ledger.shares(TWO)) == ({A: Share(10, 4)}, {})
    assert ledger.read(4, beat(B, 2, claim(TWO))) == {TWO}  # it comes again as one that is new


@pytest.mark.parametrize("record", [Silent(worker=A, number=1), Gone(worker=A, number=1), Gone(worker=B, number=9)])
def test_a_farewell_to_one_that_was_heard_since_or_never_is_void(record: Silent | Gone) -> None:
    ledger = folded(beat(A, 2, claim()))
    assert ledger.read(1, record) == frozenset()
    assert (ledger.members.keys(), ledger.silent, ledger.shares(ONE)) == ({A}, set(), {A: Share(10, 4)})


def test_a_farewell_that_names_a_later_beat_than_was_read_counts() -> None:
    """The log is compacted: the beat that it names may have been left out of it."""
    ledger = folded(beat(A, 2, claim()))
    ledger.read(1, Gone(worker=A, number=3))
    assert ledger.members == {}


def test_a_new_turn_divides_every_registry_again() -> None:
    ledger = folded(beat(A, 1, claim(ONE, most=1)), beat(B, 1, claim(ONE, most=1), claim(TWO)))
    assert ledger.shares(ONE) == {A: Share(10, 1)}
    assert ledger.read(2, beat(A, 2, claim(ONE, most=1)), at_ms=TURN_MS - 1) == frozenset()
    assert ledger.read(3, beat(A, 3, claim(ONE, most=1)), at_ms=TURN_MS) == {ONE, TWO}
    assert ledger.shares(ONE) == {B: Share(10, 1)}
    assert ledger.read(4, beat(A, 4, claim(ONE, most=1)), at_ms=2 * TURN_MS - 1) == frozenset()


def test_a_registry_that_is_dropped_as_the_turn_changes_is_touched_too() -> None:
    ledger = folded(beat(A, 1, claim(ONE), claim(TWO)))
    assert ledger.read(1, beat(A, 2, claim(ONE)), at_ms=TURN_MS) == {ONE, TWO}


def test_a_registry_that_nobody_claims_any_more_is_forgotten() -> None:
    ledger = folded(beat(A, 1, claim(ONE), claim(TWO)), beat(A, 2))
    assert (ledger.shares(ONE), ledger.heard_claims(ONE)) == ({}, {})
    assert (ledger.shares(TWO), ledger.heard_claims(TWO)) == ({}, {})
    assert ledger.read(2, beat(A, 3), at_ms=TURN_MS) == frozenset()
