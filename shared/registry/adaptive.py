"""A registry's limits as its answers have them: lowered at once, restored slowly. Pure; times are given.

Additive increase, multiplicative decrease: "later" (429, 503) takes away twice what was refused, at most a half; then a
fiftieth of max RPS comes back each second. Retry-After, and a quota that is used up, stop everything for as long as was
asked. Answers that become slow take connections away before errors come: fewer at once is what makes a registry fast
again.
"""

from collections import deque
from statistics import median
from typing import Final

from shared.registry.rate_limits import Quota

_HALF: Final = 0.5
_TWICE: Final = 2.0
"""What was refused, so many times: once so that it is not refused again, once so that others of ours are not."""

_RISE: Final = 0.02
"""Of max RPS, a second."""

_CUT_SECONDS: Final = 1.0
"""Requests that were under way at a cut are no reason for another one."""

_HELD_AT_MOST: Final = 120.0
"""However long a registry asks for: then it is tried again."""

_NEARLY_SPENT: Final = 0.1
"""Of a quota: from there on what is left is spread over the time until there is more."""

_SLOW_FACTOR: Final = 3.0
_SLOW_SECONDS: Final = 0.25
"""Answers are slow when they take so many times as long as they did, and so much longer."""

_FEWER: Final = 0.8
_SAMPLES: Final = 10
_FORGET: Final = 1.01
"""What was fast is forgotten slowly: a registry that stays slow is taken as it is."""


class Adaptive:
    """What is sent to one registry by one process.

    sent: requests in the last second.  busy: connections in use.  now: monotonic seconds.
    """

    def __init__(self) -> None:
        self._rate: float | None = None
        self._rate_at = 0.0
        self._cut_at = float("-inf")
        self._refused: Final[deque[float]] = deque()
        self._held_until = float("-inf")
        self._connections: float | None = None
        self._latencies: Final[deque[float]] = deque(maxlen=200)
        self._usual: float | None = None

    def later(self, now: float, sent: int, max_rps: int) -> None:
        """The registry answered that it is asked too much."""
        self._refused.append(now)
        while self._refused[0] < now - _CUT_SECONDS:
            self._refused.popleft()
        rate = self._rate_now(now, max_rps)
        if now - self._cut_at < _CUT_SECONDS:
            return
        factor = max(_HALF, 1 - _TWICE * len(self._refused) / max(sent, 1))
        self._rate, self._rate_at, self._cut_at = max(1.0, rate * factor), now, now

    def hold(self, now: float, seconds: float) -> None:
        """The registry asked for a pause."""
        self._held_until = max(self._held_until, now + min(seconds, _HELD_AT_MOST))

    def quota(self, now: float, told: Quota, max_rps: int) -> None:
        """The registry told how much may still be asked."""
        if told.remaining <= 0:
            self.hold(now, told.seconds)
        elif told.limit and told.remaining <= told.limit * _NEARLY_SPENT:
            rate = max(1.0, told.remaining / max(told.seconds, 1.0))
            if rate < self._rate_now(now, max_rps):
                self._rate, self._rate_at = rate, now

    def answered(self, seconds: float) -> None:
        """An answer took so long."""
        self._latencies.append(seconds)

    def measure(self, busy: int, max_connections: int, elapsed: float) -> None:
        """Look at the answers since it looked last.  elapsed: seconds since then."""
        now = float(max_connections) if self._connections is None else self._connections
        if len(self._latencies) >= _SAMPLES:
            seconds = median(self._latencies)
            self._latencies.clear()
            usual = self._usual = min(seconds, (self._usual or seconds) * _FORGET)
            if seconds > usual * _SLOW_FACTOR and seconds > usual + _SLOW_SECONDS:
                self._connections = max(1.0, min(now, float(busy)) * _FEWER)
                return
        more = now + elapsed
        self._connections = None if more >= max_connections else more

    def is_held(self, now: float) -> bool:
        return now < self._held_until

    def max_rps(self, now: float, max_rps: int) -> int:
        """Return how many requests a second the registry may get now, of as many as its connection allows."""
        return 0 if self.is_held(now) else int(self._rate_now(now, max_rps))

    def max_connections(self, max_connections: int) -> int:
        """Return how many connections it may have."""
        return max_connections if self._connections is None else min(int(self._connections), max_connections)

    def _rate_now(self, now: float, max_rps: int) -> float:
        if self._rate is None:
            return float(max_rps)
        rate = self._rate + (now - self._rate_at) * max(1.0, max_rps * _RISE)
        if rate >= max_rps:
            self._rate = None
            return float(max_rps)
        return rate
