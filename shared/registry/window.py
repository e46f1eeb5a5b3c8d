"""The window rule: never more than `limit` requests in any one second at the receiver. Pure; times are given.

A slot is taken when a request is written and returns at min(answer, write + 35 ms) + 1 s: by the answer
the receiver surely had the request; without one, 35 ms is what the way there may vary by.
"""

import math
from collections import deque
from typing import Final

SECOND: Final = 1.0
WAY_SECONDS: Final = 0.035
_MARGIN_SECONDS: Final = 0.001
"""Windows are closed: two requests exactly one second apart share one."""


class Slot:
    """One request's place in the window; free again from `returns_at` on."""

    __slots__ = ("returns_at", "written_at")

    def __init__(self) -> None:
        self.returns_at = math.inf
        self.written_at: float | None = None

    def written(self, now: float) -> None:
        """The request is on its way, at the latest since `now`."""
        self.written_at = now
        self.returns_at = min(self.returns_at, now + WAY_SECONDS + SECOND + _MARGIN_SECONDS)

    def answered(self, now: float) -> None:
        """The receiver had the request before `now`."""
        self.returns_at = min(self.returns_at, now + SECOND + _MARGIN_SECONDS)


class Window:
    """At most `limit` slots at once.

    Slots are given back in the order they were taken: one that returned early waits for those before it,
    35 ms at most, and looking costs the same at any limit.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken: Final[deque[Slot]] = deque()

    def wait_seconds(self, now: float) -> float:
        """Return how long until a slot may be free: 0 when one is, inf when nobody knows."""
        if self.taken(now) < self.limit:
            return 0.0
        return self._taken[0].returns_at - now if self._taken else math.inf  # not yet written, or a limit of nothing

    def taken(self, now: float) -> int:
        """Return how many slots are taken."""
        while self._taken and self._taken[0].returns_at <= now:
            self._taken.popleft()
        return len(self._taken)

    def take(self) -> Slot:
        """Return a slot for the request that is written now; only right after `wait_seconds` returned 0."""
        slot = Slot()
        self._taken.append(slot)
        return slot
