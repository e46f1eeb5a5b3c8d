"""Weaker rules, each without one of its parts: the world must see that they pass a limit."""

from collections.abc import Callable, Iterable
from typing import Final

from shared.messages.budget_claimed import Beat
from shared.registry.sharing.allowance import (
    CONNECTIONS_TTL,
    REQUESTS_TTL,
    WINDOW_SECONDS,
    Allowance,
    Changed,
    _History,
    _Rule,
)
from shared.registry.sharing.ledger import Record
from tests.unit.registry.sharing.model import Make, Worker, World


def _with(rule: type[_Rule]) -> type[Allowance]:
    class Weaker(Allowance):
        def __init__(self, worker: str, clock: Callable[[], float]) -> None:
            super().__init__(worker, clock)
            self._requests, self._connections = rule(REQUESTS_TTL), rule(CONNECTIONS_TTL)  # type: ignore[misc]

    return Weaker


class _CurrentShare(_Rule):
    """Uses its share of now, not the smallest of a range."""

    def usable(self, now: float, registry: str, counted: Iterable[str]) -> int:
        history = self._histories.get(registry)
        return history.entries[-1].mine if history and history.entries else 0


class _ShortRange(_Rule):
    """Looks at the last state alone, though others may not have read it."""

    def _told_by(self, moment: float, counted: Iterable[str]) -> int:
        return 10**9


class _ToldJustNow(_Rule):
    """Believes what others told just now: they may have sent within the second before."""

    def _told_by(self, moment: float, counted: Iterable[str]) -> int:
        return super()._told_by(moment + WINDOW_SECONDS, counted)


class _AloneNow(_Rule):
    """Takes itself for alone where nobody else has a share in the last state."""

    def note(self, now: float, registry: str, position: int, mine: int, *, alone: bool) -> None:
        self._histories.setdefault(registry, _LastState()).note(position, mine, alone=alone)


class _LastState(_History):
    def usable(self, start: int) -> int:
        last = self.entries[-1] if self.entries else None
        return last.mine if last and last.alone else super().usable(start)


class _NeverTooOld(Allowance):
    """Uses its share though nobody may have heard of it for long."""

    def _usable(self, rule: _Rule, registry: str, counted: Iterable[str]) -> int:
        return rule.usable(self._clock(), registry, counted) if self._confirmed_at > 0 else 0


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
            return Changed(frozenset(), frozenset())
        return super().read(position, record, at_ms)


class _TellsBeforeItComplies(World):
    """Tells what it has read, though it still has more connections open than it may."""

    def _beat(self, worker: Worker) -> Beat:
        worker.settled = worker.allowance.ledger.position
        return super()._beat(worker)


WEAKENED: Final[dict[str, tuple[type[World], Make, tuple[int, ...]]]] = {
    "its share of now": (World, _with(_CurrentShare), (0, 1)),
    "the last state alone": (World, _with(_ShortRange), (0, 1)),
    "what was told just now": (World, _with(_ToldJustNow), (1, 6)),
    "alone in the last state": (World, _with(_AloneNow), (1, 2)),
    "never too old": (World, _NeverTooOld, (7, 17)),
    "gone when silent": (World, _GoneWhenSilent, (7, 23)),
    "knows nobody": (World, _KnowsNobody, (0, 2)),
    "tells before it complies": (_TellsBeforeItComplies, Allowance, (9, 10)),
}
"""By what is left out: the world, the rule, and seeds of worlds that see it."""
