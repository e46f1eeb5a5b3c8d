"""Which message is worked next."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.pipeline.dispatch import Dispatch


@dataclass(frozen=True, eq=False)
class Piece:
    registry: str
    order: str
    number: int = 0
    doomed: bool = False


def _started(dispatch: Dispatch[Piece]) -> list[Piece]:
    pieces = list(islice(iter(dispatch.take, None), 1000))
    assert len(pieces) < 1000, "it does not come to an end"
    return pieces


def test_pieces_of_one_key_are_started_one_after_another_in_order() -> None:
    dispatch: Dispatch[Piece] = Dispatch(10, 10)
    first, second = Piece("r", "a", 1), Piece("r", "a", 2)
    dispatch.add(first)
    dispatch.add(second)
    assert _started(dispatch) == [first]
    dispatch.finish(first)
    assert _started(dispatch) == [second]


def test_pieces_of_different_keys_are_started_side_by_side() -> None:
    dispatch: Dispatch[Piece] = Dispatch(10, 10)
    pieces = [Piece("r", key) for key in "abc"]
    for piece in pieces:
        dispatch.add(piece)
    assert _started(dispatch) == pieces


def test_the_same_key_of_two_registries_is_two_keys() -> None:
    dispatch: Dispatch[Piece] = Dispatch(10, 10)
    pieces = [Piece("r", "7"), Piece("s", "7")]
    for piece in pieces:
        dispatch.add(piece)
    assert _started(dispatch) == pieces


def test_a_registry_gets_no_more_than_its_share_and_does_not_block_another() -> None:
    dispatch: Dispatch[Piece] = Dispatch(10, 2)
    for number in range(100):
        dispatch.add(Piece("big", str(number)))
    dispatch.add(Piece("small", "a"))
    assert Counter(piece.registry for piece in _started(dispatch)) == {"big": 2, "small": 1}


def test_registries_take_turns_however_much_one_has_waiting() -> None:
    dispatch: Dispatch[Piece] = Dispatch(2, 2)
    for number in range(100):
        dispatch.add(Piece("big", str(number)))
    for number in range(3):
        dispatch.add(Piece("small", str(number)))
    order, at_work = [], []
    for _ in range(6):
        at_work += _started(dispatch)
        piece = at_work.pop(0)
        order.append(piece.registry)
        dispatch.finish(piece)
    assert order == ["big", "small"] * 3


def test_a_registry_of_which_nothing_is_worked_may_begin_one_though_all_places_are_taken() -> None:
    dispatch: Dispatch[Piece] = Dispatch(2, 2)
    for number in range(5):
        dispatch.add(Piece("slow", str(number)))
    slow = _started(dispatch)
    assert [piece.registry for piece in slow] == ["slow", "slow"]
    for number in range(5):
        dispatch.add(Piece("other", str(number)))
    (other,) = _started(dispatch)
    assert other.registry == "other"
    dispatch.finish(slow[0])
    assert _started(dispatch) == []  # two are at work
    dispatch.finish(other)
    (again,) = _started(dispatch)
    assert again.registry == "other"


def test_rested_work_frees_its_place_in_the_process_but_not_its_key() -> None:
    dispatch: Dispatch[Piece] = Dispatch(1, 2)
    resting, of_its_key, other = Piece("r", "a", 1), Piece("r", "a", 2), Piece("r", "b")
    for piece in (resting, of_its_key, other):
        dispatch.add(piece)
    assert _started(dispatch) == [resting]
    dispatch.rest(resting)
    assert _started(dispatch) == [other]
    dispatch.wake(resting)
    dispatch.finish(other)
    assert _started(dispatch) == [resting]
    dispatch.finish(resting)
    assert _started(dispatch) == [of_its_key]


def test_rested_work_keeps_its_place_among_its_registrys() -> None:
    dispatch: Dispatch[Piece] = Dispatch(10, 1)
    resting, other = Piece("r", "a"), Piece("r", "b")
    dispatch.add(resting)
    dispatch.add(other)
    dispatch.rest(_started(dispatch)[0])
    assert _started(dispatch) == []


def test_what_was_forgotten_while_it_rested_does_not_wake() -> None:
    dispatch: Dispatch[Piece] = Dispatch(10, 10)
    doomed, again = Piece("r", "a", doomed=True), Piece("r", "a")
    dispatch.add(doomed)
    dispatch.rest(_started(dispatch)[0])
    assert dispatch.forget(lambda piece: piece.doomed) == 1
    dispatch.add(again)
    assert _started(dispatch) == [again]
    dispatch.wake(doomed)
    assert _started(dispatch) == []


def test_what_was_forgotten_while_it_rested_does_not_wake_what_rests_in_its_place() -> None:
    dispatch: Dispatch[Piece] = Dispatch(10, 10)
    doomed, again = Piece("r", "a", doomed=True), Piece("r", "a")
    for piece in (doomed, again):
        dispatch.add(piece)
        dispatch.rest(_started(dispatch)[0])
        dispatch.forget(lambda piece: piece.doomed)
    dispatch.wake(doomed)
    assert _started(dispatch) == []
    dispatch.wake(again)
    assert _started(dispatch) == [again]


def test_a_registry_whose_work_is_over_is_not_remembered() -> None:
    """A process lives longer than registries do."""
    dispatch: Dispatch[Piece] = Dispatch(10, 10)
    for number in range(3):
        dispatch.add(Piece("r", str(number)))
    for piece in _started(dispatch):
        dispatch.finish(piece)
    kept = (dispatch._waiting, dispatch._ready, dispatch._turns, dispatch._without_place, dispatch._places)
    assert [*map(len, kept)] == [0] * 5


def test_what_comes_again_waits_for_the_old_work_of_its_key_to_end() -> None:
    dispatch: Dispatch[Piece] = Dispatch(10, 10)
    stuck, again = Piece("r", "a", doomed=True), Piece("r", "a")
    dispatch.add(stuck)
    assert _started(dispatch) == [stuck]
    dispatch.forget(lambda piece: piece.doomed)
    dispatch.add(again)
    assert _started(dispatch) == []
    dispatch.finish(stuck)
    assert _started(dispatch) == [again]


@given(st.lists(st.tuples(st.sampled_from("rst"), st.sampled_from("abcd")), max_size=40), st.data())
def test_everything_is_worked_once_and_in_order_per_key(keys: list[tuple[str, str]], data: st.DataObject) -> None:
    dispatch: Dispatch[Piece] = Dispatch(data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3)))
    pieces = [Piece(registry, order, number) for number, (registry, order) in enumerate(keys)]
    for piece in pieces:
        dispatch.add(piece)
    at_work, worked = _started(dispatch), []
    while at_work:
        piece = at_work.pop(data.draw(st.integers(0, len(at_work) - 1)))
        worked.append(piece)
        dispatch.finish(piece)
        at_work += _started(dispatch)
    for key in set(keys):
        assert [p for p in worked if (p.registry, p.order) == key] == [
            p for p in pieces if (p.registry, p.order) == key
        ]
    assert len(worked) == len(pieces)


class Dispatching(RuleBasedStateMachine):
    """Any sequence of calls keeps the bounds, the order per key, and leaves nothing behind."""

    def __init__(self) -> None:
        super().__init__()
        self.dispatch: Dispatch[Piece] = Dispatch(4, 2)
        self.waiting: list[Piece] = []
        self.at_work: list[Piece] = []
        self.resting: list[Piece] = []
        self.awake: list[Piece] = []
        self.number = 0

    @rule(registry=st.sampled_from("rst"), order=st.sampled_from("ab"), doomed=st.booleans())
    def add(self, registry: str, order: str, doomed: bool) -> None:
        self.number += 1
        piece = Piece(registry, order, self.number, doomed)
        self.waiting.append(piece)
        self.dispatch.add(piece)

    @rule()
    def take(self) -> None:
        piece = self.dispatch.take()
        if piece is None:
            is_full = len(self.at_work) >= 4
            assert not any(self.may_start(other) and (not is_full or self.has_none(other)) for other in self.waiting)
            assert is_full or not self.awake
        elif piece in self.awake:
            self.awake.remove(piece)
            self.at_work.append(piece)
        else:
            assert self.has_none(piece) if len(self.at_work) >= 4 else not self.awake
            assert self.may_start(piece)
            assert piece is next(p for p in self.waiting if _key(p) == _key(piece))
            self.waiting.remove(piece)
            self.at_work.append(piece)

    @precondition(lambda self: self.at_work)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        self.dispatch.finish(self.drawn(data, self.at_work))

    @precondition(lambda self: self.at_work)
    @rule(data=st.data())
    def rest(self, data: st.DataObject) -> None:
        piece = self.drawn(data, self.at_work)
        self.dispatch.rest(piece)
        self.resting.append(piece)

    @precondition(lambda self: self.resting)
    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        piece = self.drawn(data, self.resting)
        self.dispatch.wake(piece)
        self.awake.append(piece)

    @rule()
    def forget(self) -> None:
        dropped = 0
        for pieces in (self.waiting, self.resting, self.awake):
            dropped += sum(piece.doomed for piece in pieces)
            pieces[:] = [piece for piece in pieces if not piece.doomed]
        assert self.dispatch.forget(lambda piece: piece.doomed) == dropped

    @invariant()
    def bounds_hold(self) -> None:
        assert self.dispatch.working == len(self.at_work) <= 4 + len("rst")
        begun = self.at_work + self.resting + self.awake
        assert max(Counter(piece.registry for piece in begun).values(), default=0) <= 2
        assert len({_key(piece) for piece in begun}) == len(begun)

    def has_none(self, piece: Piece) -> bool:
        return all(other.registry != piece.registry for other in self.at_work + self.resting + self.awake)

    def may_start(self, piece: Piece) -> bool:
        begun = self.at_work + self.resting + self.awake
        of_registry = sum(other.registry == piece.registry for other in begun)
        return of_registry < 2 and all(_key(other) != _key(piece) for other in begun)

    @staticmethod
    def drawn(data: st.DataObject, pieces: list[Piece]) -> Piece:
        return pieces.pop(data.draw(st.integers(0, len(pieces) - 1)))


def _key(piece: Piece) -> tuple[str, str]:
    return piece.registry, piece.order


TestDispatching = Dispatching.TestCase
