"""Weaker rules, each without one of its parts: the world must see that they pass a limit."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from shared.messages.budget_claimed import Beat
from shared.registry.sharing.allowance import CONNECTIONS_TTL, REQUESTS_TTL, Allowance, Changed
from shared.registry.sharing.division import Part
from shared.registry.sharing.history import History
from shared.registry.sharing.ledger import Record
from shared.registry.sharing.rule import CLOSING_SECONDS, WINDOW_SECONDS, Rule
from tests.unit.registry.sharing.model import Make, Worker, World


def _with(rule: type[Rule]) -> type[Allowance]:
    class Weaker(Allowance):
        def __init__(self, worker: str, clock: Callable[[], float]) -> None:
            super().__init__(worker, clock)
            self._requests = rule(REQUESTS_TTL, 0.0, lapses=True)
            self._connections = rule(CONNECTIONS_TTL, CLOSING_SECONDS, lapses=False)

    return Weaker


class _CurrentShare(Rule):
    """Uses its share of now, not the smallest of a range."""

    def usable(self, now: float, registry: str, position: int, others: Collection[str]) -> int:
        history = self._histories.get(registry)
        return history.entries[-1].mine.sends if history and history.entries else 0


class _ShortRange(Rule):
    """Looks at the last state alone, though others may not comply with it."""

    def _start(self, now: float, registry: str, position: int, others: Collection[str]) -> int:
        return position


class _CompliesAtOnce(Rule):
    """Tells to comply with what it has read, though it may have sent more within the second before."""

    def complied(self, now: float, position: int, used: Mapping[str, int]) -> int:
        return position if self._lapses else super().complied(now, position, used)


class _WaitsASecond(Rule):
    """Believes only what others have told a second ago: as safe, and slow."""

    def __init__(self, ttl: float, believed_after: float, *, lapses: bool) -> None:
        super().__init__(ttl, believed_after + WINDOW_SECONDS, lapses=lapses)


WAITS_A_SECOND: Final = _with(_WaitsASecond)


class _AloneNow(Rule):
    """Takes itself for alone where nobody else has a share in the last state."""

    def note(self, now: float, registry: str, position: int, mine: Part, others: Mapping[str, Part]) -> None:
        self._histories.setdefault(registry, _LastState())
        super().note(now, registry, position, mine, others)


class _LastState(History):
    def usable(self, start: int, *, may_be_alone: bool) -> int:
        last = self.entries[-1] if self.entries else None
        return last.mine.sends if last and last.alone else super().usable(start, may_be_alone=may_be_alone)


class _AloneBeforeItCame(Rule):
    """Believes to know all states of a log that was compacted before it came."""

    def __init__(self, ttl: float, believed_after: float, *, lapses: bool) -> None:
        super().__init__(ttl, believed_after, lapses=lapses)
        self.came(-1)


class _HoldersOfNow(Rule):
    """Waits only for those that hold something in the last state: another may still send what it held."""

    def note(self, now: float, registry: str, position: int, mine: Part, others: Mapping[str, Part]) -> None:
        self._holders.pop(registry, None)
        super().note(now, registry, position, mine, others)


class _DepartedAtOnce(Rule):
    """Uses at once what one who is gone or silent held: it may have sent within the second before."""

    def departed(self, now: float, position: int) -> None:
        """Nothing is waited for."""


class _NeverTooOld(Allowance):
    """Uses its share though nobody may have heard of it for long."""

    def _usable(self, rule: Rule, registry: str, others: Collection[str]) -> int:
        return rule.usable(self._clock(), registry, self.ledger.position, others) if self._confirmed_at > 0 else 0


class _GoneWhenSilent(Allowance):
    """Gives away the connections of who is silent: a stopped process holds them open."""

    def unheard(self, seconds: float) -> list[Beat]:
        return super().unheard(min(seconds, REQUESTS_TTL))


class _KnowsNobody(Allowance):
    """Comes without reading what is in the log."""

    def __init__(self, worker: str, clock: Callable[[], float]) -> None:
        super().__init__(worker, clock)
        self._came: Final = clock()

    def read(self, position: int, record: Record, at_ms: int = 0) -> Changed:
        if self._clock() - self._came <= 0.01:
            return Changed(frozenset(), frozenset(), frozenset())
        return super().read(position, record, at_ms)


class _TellsBeforeItComplies(World):
    """Tells what it has read, though it still has more connections open than it may."""

    def _beat(self, worker: Worker) -> Beat:
        return super()._beat(worker).model_copy(update={"settled": worker.allowance.ledger.position})


WEAKENED: Final[dict[str, tuple[type[World], Make, tuple[int, ...]]]] = {
    "its share of now": (World, _with(_CurrentShare), (0, 1)),
    "the last state alone": (World, _with(_ShortRange), (0, 1)),
    "complies at once": (World, _with(_CompliesAtOnce), (0, 5)),
    "alone in the last state": (World, _with(_AloneNow), (2, 3)),
    "alone before it came": (World, _with(_AloneBeforeItCame), (102,)),
    "holders of now": (World, _with(_HoldersOfNow), (0, 1)),
    "departed at once": (World, _with(_DepartedAtOnce), (22, 26)),
    "never too old": (World, _NeverTooOld, (0, 1)),
    "gone when silent": (World, _GoneWhenSilent, (0, 3)),
    "knows nobody": (World, _KnowsNobody, (0, 1)),
    "tells before it complies": (_TellsBeforeItComplies, Allowance, (1, 3)),
}
"""By what is left out: the world, the rule, and seeds of worlds that see it."""
