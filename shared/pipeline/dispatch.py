"""Which message is worked next: one of a key at a time, a share for each registry, registries in turn. Pure."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Workable(Protocol):
    """A piece of work as the dispatch sees it."""

    @property
    def registry(self) -> str: ...

    @property
    def order(self) -> Hashable: ...


W = TypeVar("W", bound=Workable)
_Key = tuple[str, Hashable]


class Dispatch(Generic[W]):
    """Work that waits, in the order it came per key, and the rules of who goes next.

    at_once: pieces at work at once; beyond it a registry of which nothing is at work may begin one, so that those that
    are asked slowly, whose pieces take long, never keep another waiting.  per_registry: of these, and of those resting,
    those of one registry.
    """

    def __init__(self, at_once: int, per_registry: int) -> None:
        self._at_once = at_once
        self._per_registry = per_registry
        self._waiting: dict[_Key, deque[W]] = {}
        self._ready: dict[str, deque[_Key]] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        self._without_place: OrderedDict[str, None] = OrderedDict()
        self._begun: dict[_Key, W] = {}
        self._places: Counter[str] = Counter()
        self._resting: set[_Key] = set()
        self._awake: deque[W] = deque()
        self._working = 0

    @property
    def working(self) -> int:
        """How many pieces are at work."""
        return self._working

    def add(self, work: W) -> None:
        """Let the work wait for its turn, behind what waits of its key."""
        key = _key(work)
        self._waiting.setdefault(key, deque()).append(work)
        if len(self._waiting[key]) == 1 and key not in self._begun:
            self._ready.setdefault(work.registry, deque()).append(key)
            self._line_up(work.registry)

    def take(self) -> W | None:
        """Return the work to start now, None when nothing may start. What was rested goes before what is new."""
        if self._working >= self._at_once:
            if not self._without_place:
                return None
            work = self._next(next(iter(self._without_place)))
        elif self._awake:
            work = self._awake.popleft()
        elif self._turns:
            work = self._next(next(iter(self._turns)))
        else:
            return None
        self._working += 1
        return work

    def finish(self, work: W) -> None:
        """The work is over, well or not; the next of its key may start."""
        self._working -= 1
        self._leave(_key(work))

    def rest(self, work: W) -> None:
        """Put the work aside until `wake`: others may work meanwhile, but none of its key.

        It keeps its place among its registry's, so that a registry in trouble is not pressed harder.
        """
        self._working -= 1
        self._resting.add(_key(work))

    def wake(self, work: W) -> None:
        """Let rested work go on as soon as there is room; nothing if it was forgotten meanwhile."""
        key = _key(work)
        if key in self._resting and self._begun[key] is work:
            self._resting.remove(key)
            self._awake.append(work)

    def forget(self, doomed: Callable[[W], bool]) -> int:
        """Drop what waits or rests and is doomed; what is at work stays until it is finished. Return how many."""
        dropped = [work for work in (*map(self._begun.__getitem__, self._resting), *self._awake) if doomed(work)]
        self._awake = deque(work for work in self._awake if not doomed(work))
        for work in dropped:
            self._resting.discard(_key(work))
            self._leave(_key(work))
        before = self._waits()
        kept = {key: deque(work for work in line if not doomed(work)) for key, line in self._waiting.items()}
        self._waiting = {key: line for key, line in kept.items() if line}
        self._line_up_anew()
        return len(dropped) + before - self._waits()

    def _waits(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _next(self, registry: str) -> W:
        del self._turns[registry]
        self._without_place.pop(registry, None)
        key = self._ready[registry].popleft()
        work = self._waiting[key].popleft()
        if not self._waiting[key]:
            del self._waiting[key]
        self._begun[key] = work
        self._places[registry] += 1
        self._line_up(registry)
        return work

    def _leave(self, key: _Key) -> None:
        del self._begun[key]
        registry = key[0]
        self._places[registry] -= 1
        if key in self._waiting:
            self._ready.setdefault(registry, deque()).append(key)
        elif not self._places[registry]:
            del self._places[registry]
        self._line_up(registry)

    def _line_up(self, registry: str) -> None:
        """Give the registry a turn if it may start something, and keep its place if it has one."""
        if not self._ready.get(registry):
            self._ready.pop(registry, None)
        elif self._places[registry] < self._per_registry:
            self._turns.setdefault(registry)
            if not self._places[registry]:
                self._without_place.setdefault(registry)

    def _line_up_anew(self) -> None:
        self._ready.clear()
        self._turns.clear()
        self._without_place.clear()
        for key in self._waiting:
            if key not in self._begun:
                self._ready.setdefault(key[0], deque()).append(key)
        for registry in list(self._ready):
            self._line_up(registry)


def _key(work: Workable) -> _Key:
    return (work.registry, work.order)
