"""How many requests a process could send in a second, were it granted all of them. Pure; times are given.

By Little's law: what is under way, divided by how many are sent a second, is how long a request takes, once it may be
sent. Had those that wait been under way, too, so many more would have been sent.
"""

import math
from collections import deque
from typing import Final

_HEADROOM: Final = 1.2
"""What is wanted above what was seen, so that a worker with more to do is not held at what it has."""

_STEADY_SECONDS: Final = 1.0
"""While there is work a demand falls only when measures of so long were lower: shares would go to and fro."""

_MEASURED_SECONDS: Final = 0.2
"""Measures of less tell little."""

_IDLE_SECONDS: Final = 0.1
"""Who had nothing to do for so long is idle: between two messages a stage has nothing to do for a moment."""


class _Area:
    """A count over time."""

    def __init__(self, now: float) -> None:
        self.count = 0
        self._since = now
        self._area = 0.0

    def add(self, more: int, now: float) -> None:
        self._area += self.count * (now - self._since)
        self._since = now
        self.count += more

    def take(self, now: float) -> float:
        """Return the area since it was taken last."""
        self.add(0, now)
        area, self._area = self._area, 0.0
        return area


class Demand:
    """Told of each request on its way; measured once in a while."""

    def __init__(self, now: float) -> None:
        self._waiting: Final = _Area(now)
        self._under_way: Final = _Area(now)
        self._measures: Final[deque[tuple[float, float]]] = deque()
        self._busy_at = now

    @property
    def waiting(self) -> int:
        """How many requests wait for the budget at this moment."""
        return self._waiting.count

    def waits(self, now: float) -> None:
        self._add(self._waiting, 1, now)

    def waits_no_more(self, now: float) -> None:
        self._add(self._waiting, -1, now)

    def sent(self, now: float) -> None:
        self._add(self._under_way, 1, now)

    def answered(self, now: float) -> None:
        self._add(self._under_way, -1, now)

    def is_idle(self, now: float) -> bool:
        """Return whether nothing waits and nothing is under way, for a while."""
        return not self._waiting.count and not self._under_way.count and now - self._busy_at >= _IDLE_SECONDS

    def nothing(self) -> float:
        """Return that nothing is wanted: it is idle, and what was measured counts no more."""
        self._measures.clear()
        return 0.0

    def measure(self, now: float, used: int) -> float:
        """Return how many it could send in the next second; inf where nothing is known but that it wants to.

        used: how many it has sent in the last second.
        """
        known = self._measures[-1] if self._measures else None
        if known is None or not known[1] or now - known[0] >= _MEASURED_SECONDS:
            waiting, under_way = self._waiting.take(now), self._under_way.take(now)
            self._measures.append((now, _estimated(used, waiting, under_way, self._waiting.count)))
        while now - self._measures[0][0] >= _STEADY_SECONDS:
            self._measures.popleft()
        return max(self._waiting.count, *(wanted for _, wanted in self._measures))

    def _add(self, area: _Area, more: int, now: float) -> None:
        area.add(more, now)
        self._busy_at = now


def _estimated(used: int, waiting: float, under_way: float, waiting_now: int) -> float:
    if not used and not waiting_now:
        return 0.0
    if not under_way or not used:
        return math.inf if waiting_now else float(used)
    return math.ceil(_HEADROOM * used * (1 + waiting / under_way)) + 1.0
