"""The division: never more than the limit, nobody with work without a share, nothing unused while somebody wants it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.registry.sharing.division import Claimant, Part, divide, fill, hand_over

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


@given(st.integers(2, 500), st.integers(1, 500), turns)
def test_upstream_gets_a_fifth_however_much_downstream_wants(limit: int, want: int, turn: int) -> None:
    shares = divide(limit, {Claimant(1, "tagger"): want, Claimant(2, "manifester"): 10_000}, turn)
    assert shares["tagger"] == min(want, 1 + limit // 5, limit - 1)


@given(limits, wants, turns)
def test_upstream_gets_more_than_a_fifth_and_one_only_when_downstream_is_sated(
    limit: int, wants: dict[Claimant, int], turn: int
) -> None:
    single = {claimant.worker: claimant for claimant, want in sorted(wants.items()) if want > 0}  # a stage for each
    only = {claimant: wants[claimant] for claimant in single.values()}
    shares = divide(limit, only, turn)
    if limit < len(only):
        return
    for upstream, want in only.items():
        if 1 + limit // 5 < shares[upstream.worker] <= want:
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


sent = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(0, 500), max_size=10)


@given(limits, wants, sent, turns)
def test_what_all_hold_is_never_more_than_the_limit_and_what_each_may_send_never_more_than_it_holds(
    limit: int, wants: dict[Claimant, int], sent: dict[str, int], turn: int
) -> None:
    parts = hand_over(limit, wants, sent, turn)
    assert sum(part.holds for part in parts.values()) <= limit
    aims = divide(limit, wants, turn)
    assert all(0 <= part.sends <= min(part.holds, aims.get(worker, 0)) for worker, part in parts.items() if sent)


@given(limits, wants, sent, turns)
def test_whoever_has_sent_no_more_than_the_limit_together_may_hold_what_it_has_sent(
    limit: int, wants: dict[Claimant, int], sent: dict[str, int], turn: int
) -> None:
    if sum(sent.values()) > limit:
        return
    parts = hand_over(limit, wants, sent, turn)
    assert all(parts[worker].holds >= many for worker, many in sent.items() if many)


@given(limits, wants, turns)
def test_where_nobody_has_sent_more_than_its_share_each_has_its_share(
    limit: int, wants: dict[Claimant, int], turn: int
) -> None:
    shares = divide(limit, wants, turn)
    assert hand_over(limit, wants, shares, turn) == {worker: Part(share, share) for worker, share in shares.items()}
