"""The division: never more than the limit, nobody with work without a share, nothing unused while somebody wants it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.registry.sharing.division import Claimant, divide, fill

claimants = st.builds(Claimant, st.integers(0, 2), st.sampled_from("abcdefghi"))
wants = st.dictionaries(claimants, st.integers(0, 500), max_size=20)
limits = st.integers(0, 500)
turns = st.integers(0, 100)


def of_worker(wants: dict[Claimant, int]) -> Counter[str]:
    total: Counter[str] = Counter()
    for claimant, want in wants.items():
        total[claimant.worker] += want
    return +total


@given(limits, wants, turns)
def test_all_together_get_the_limit_where_anybody_has_work_and_never_more(
    limit: int, wants: dict[Claimant, int], turn: int
) -> None:
    shares = divide(limit, wants, turn)
    assert sum(shares.values()) == (limit if of_worker(wants) else 0)
    assert all(share >= 0 for share in shares.values())


@given(limits, wants, turns)
def test_whoever_has_work_has_a_share_and_nobody_else(limit: int, wants: dict[Claimant, int], turn: int) -> None:
    shares, working = divide(limit, wants, turn), of_worker(wants)
    assert shares.keys() <= working.keys()
    if limit >= len(working):
        assert shares.keys() == working.keys()
        assert not working or min(shares.values()) >= 1


@given(limits, wants, turns)
def test_nobody_wants_more_while_another_has_more_than_it_wants(
    limit: int, wants: dict[Claimant, int], turn: int
) -> None:
    shares, working = divide(limit, wants, turn), of_worker(wants)
    if limit >= len(working):
        hungry = [worker for worker in working if shares[worker] < working[worker]]
        sated = [worker for worker in working if shares[worker] > working[worker]]
        assert not (hungry and sated)


@given(limits, wants, turns)
def test_upstream_gets_more_than_its_first_only_when_downstream_is_sated(
    limit: int, wants: dict[Claimant, int], turn: int
) -> None:
    single = {claimant.worker: claimant for claimant, want in sorted(wants.items()) if want > 0}  # a stage for each
    only = {claimant: wants[claimant] for claimant in single.values()}
    shares = divide(limit, only, turn)
    if limit < len(only):
        return
    for upstream, want in only.items():
        if 1 + limit // 100 < shares[upstream.worker] <= want:
            assert all(shares[c.worker] >= only[c] for c in only if c.stage > upstream.stage)


@given(st.integers(1, 8), st.sets(st.sampled_from("abcdefghi"), min_size=2))
def test_where_workers_are_more_than_requests_each_of_a_stage_has_its_turn(limit: int, workers: set[str]) -> None:
    if limit >= len(workers):
        return
    wants = {Claimant(1, worker): 5 for worker in workers} | {Claimant(0, "z"): 5}
    turns: Counter[str] = Counter()
    for turn in range(len(workers)):
        turns.update(divide(limit, wants, turn))
    assert turns == dict.fromkeys(workers, limit)


@given(st.integers(0, 300), st.lists(st.integers(0, 100), max_size=12))
def test_filling_gives_all_that_is_wanted_or_all_there_is_and_as_evenly_as_whole_numbers_allow(
    amount: int, wants: list[int]
) -> None:
    given = fill(amount, wants)
    assert sum(given) == min(amount, sum(wants))
    assert all(0 <= got <= want for got, want in zip(given, wants, strict=True))
    unmet = [got for got, want in zip(given, wants, strict=True) if got < want]
    assert not unmet or max(given) - min(unmet) <= 1


@given(limits, wants, turns)
def test_it_is_the_same_for_all_who_compute_it(limit: int, wants: dict[Claimant, int], turn: int) -> None:
    assert divide(limit, wants, turn) == divide(limit, dict(reversed(wants.items())), turn)


def test_what_cannot_be_even_goes_to_those_that_want_most() -> None:
    assert fill(10, [9, 2, 9, 8]) == [3, 2, 3, 2]
    assert fill(8, [5, 5, 5]) == [2, 3, 3]


def test_a_worker_at_two_stages_has_its_first_once() -> None:
    wants = {Claimant(1, "a"): 5, Claimant(0, "a"): 5, Claimant(0, "b"): 50}
    assert divide(60, wants, 0) == {"a": 10, "b": 50}
    assert divide(100, wants, 0) == {"a": 30, "b": 70}


def test_who_wants_little_gets_no_more_than_that_first() -> None:
    assert divide(1000, {Claimant(1, "a"): 1, Claimant(1, "b"): 2000}, 0) == {"a": 1, "b": 999}


def test_who_wants_nothing_gets_nothing() -> None:
    assert divide(10, {Claimant(1, "a"): 5, Claimant(1, "b"): 0}, 0) == {"a": 10}


def test_of_less_than_nothing_nobody_gets_anything() -> None:
    assert divide(-1, {Claimant(1, "a"): 5, Claimant(1, "b"): 5}, 0) == {}
