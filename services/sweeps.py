"""How far apart full loads may be: further while webhooks prove complete, until a load found what no hook told.

Pure but for `Stretches`, which remembers for a while what it asked.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from shared.connections.snapshot import ConnectionsSnapshot
from shared.messages.connection_notes import HookSecretSet
from shared.store.scan_reads import Sweep

LONGEST: Final = 8
"""Intervals of a connection that may lie between two loads at most."""

SWEEPS_READ: Final = 6
_FRESH_SECONDS: Final = 60.0


class KnowsSweeps(Protocol):
    """What the store tells of full loads."""

    async def sweeps(self, registry: str, most: int) -> Sequence[Sweep]: ...


def stretch(sweeps: Sequence[Sweep]) -> int:
    """Return how many intervals may lie between two loads.  sweeps: the newest first.

    Each load that found nothing new after hooks had told of something doubles it; one that found something, or did not
    read all, ends the row. A load between which nothing happened at all proves nothing.
    """
    intervals = 1
    for sweep in sweeps:
        if sweep.status != "complete" or sweep.changes:
            break
        if sweep.hooks:
            intervals *= 2
    return min(intervals, LONGEST)


class Stretches:
    """How far apart the loads of each registry are now.  A registry without hooks keeps its interval."""

    def __init__(self, store: KnowsSweeps, clock: Callable[[], float] = time.monotonic) -> None:
        self._store: Final = store
        self._clock: Final = clock
        self._known: Final[dict[str, tuple[float, int]]] = {}

    async def of(self, connections: ConnectionsSnapshot, registry: str) -> int:
        """Return the intervals between two loads of a registry. Raises TransientError while the store is down."""
        if connections.note(HookSecretSet, registry) is None:
            return 1
        at, known = self._known.get(registry, (float("-inf"), 1))
        if self._clock() - at > _FRESH_SECONDS:
            known = stretch(await self._store.sweeps(registry, SWEEPS_READ))
            self._known[registry] = (self._clock(), known)
        return known
