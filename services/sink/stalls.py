"""Which scans have stalled. Pure; the caller tells the time by a monotonic clock of its own process."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.messages.model import ScanContext
from shared.pipeline.partitioning import registry_partitions

ScanKey = tuple[str, int]
Place = tuple[str, int]
"""A topic of the chain, without its prefix, and a partition."""

_ROUNDS: Final = 3
"""What is queued for one stage is queued for the next when that one has taken it: tagger, manifester, sink."""

_MARKERS: Final = 10
"""Offsets that may lie between what is done and the end where nothing waits: a transaction's marker counts as one."""


@dataclass(frozen=True)
class Level:
    """Of a partition.  done: all before this offset is.  end: where the next message goes."""

    done: int
    end: int


@dataclass
class _Watched:
    """since: when it was heard of.  mark: its progress elsewhere.

    queued: what has to be done before it can be said that nothing more comes: the ends of its partitions at some
    moment.  done: how far those were at the last look.
    """

    context: ScanContext
    since: float
    mark: Hashable = 0
    queued: dict[Place, int] = field(default_factory=dict)
    done: dict[Place, int] = field(default_factory=dict)
    rounds: int = 0

    def waits(self, levels: Mapping[Place, Level]) -> bool:
        """Return whether something of it may wait in a queue that moves."""
        told = self.queued.keys() & levels.keys()
        behind = {place for place in told if levels[place].done < self.queued[place] - _MARKERS}
        if behind:
            moves = any(levels[place].done > self.done[place] for place in behind)
            self.done = {place: levels[place].done for place in behind}
            return moves
        self.rounds += 1
        self.queued = {place: level.end for place, level in levels.items() if level.end - level.done > _MARKERS}
        self.done = {place: levels[place].done for place in self.queued}
        return bool(self.queued) and self.rounds <= _ROUNDS


class Stalls:
    """Watches running scans: one of which nothing was heard for `stall_seconds` is overdue.

    It has stalled if nothing that could be its own waits in a queue, or if that queue does not move. What waited at
    some moment is gone through within three rounds, so that a scan whose message was lost ends however busy all is.
    """

    def __init__(self, stall_seconds: float) -> None:
        self.stall_seconds = stall_seconds
        self._watched: dict[ScanKey, _Watched] = {}

    def heard(self, context: ScanContext, now: float) -> None:
        """Something of the scan came."""
        self._watched[context.registry, context.scan] = _Watched(context, now)

    def ended(self, context: ScanContext) -> None:
        """Watch the scan no longer."""
        self._watched.pop((context.registry, context.scan), None)

    def overdue(self, now: float) -> list[ScanContext]:
        """Return the scans of which nothing was heard for too long."""
        return [one.context for one in self._watched.values() if now - one.since >= self.stall_seconds]

    def has_stalled(self, context: ScanContext, mark: Hashable, levels: Mapping[Place, Level], now: float) -> bool:
        """Return whether an overdue scan has stalled; else it is overdue again after as long.

        mark: a measure of the scan's progress elsewhere; another one than before counts as heard.
        levels: of all partitions; its own count.
        """
        watched = self._watched[context.registry, context.scan]
        if watched.mark != mark:
            self._watched[context.registry, context.scan] = _Watched(context, now, mark)
            return False
        if watched.waits(_own(context, levels)):
            watched.since = now
            return False
        return True


def _own(context: ScanContext, levels: Mapping[Place, Level]) -> dict[Place, Level]:
    """Return the levels of the partitions where the scan's messages lie."""
    partitions = registry_partitions(context.slot, context.shards, context.partitions)
    return {place: level for place, level in levels.items() if place[1] in partitions}
