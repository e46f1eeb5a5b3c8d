"""The budget of one registry in one process: when its next request may be written, and when a connection opened.

Two parts for requests (measured, README Decisions): aiolimiter paces, so that there are no bursts; the window rule
guarantees. The pacer waits before a connection is taken, so that waiting for the budget never looks like a full pool;
the window is asked in the very tick the request is written. What is granted is asked each time: it may be the whole of
the registry's limits, or this process's share of them.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from aiolimiter import AsyncLimiter

from shared.registry.adaptive import Adaptive
from shared.registry.breaker import Breaker
from shared.registry.demand import Demand
from shared.registry.grant import Grant
from shared.registry.permits import Permits
from shared.registry.rate_limits import told_quota
from shared.registry.window import WAY_SECONDS, Slot, Window

_BURST_SECONDS: Final = 0.05
"""What the pacer may make up for after waking late; the window rule holds all the same."""

_LOOK_AGAIN_SECONDS: Final = 0.005
"""How soon to look whether a request admitted in this loop turn has been written."""

_CANNOT: Final = 500
_NOT_IMPLEMENTED: Final = 501
_TOO_MUCH: Final = (429, 503)
"""Statuses by which a registry says that it is asked too much."""

_LONGEST_SLEEP_SECONDS: Final = 0.02
"""What is granted may change meanwhile."""


async def _nobody_else() -> None:
    """There is nobody to hear."""


class Budget(Protocol):
    """What a request asks on its way."""

    @property
    def permits(self) -> Permits:
        """Who may open connections."""

    async def pace(self) -> None:
        """Return when it is this request's turn; no connection is held meanwhile. Raises BreakerOpen."""

    async def admit(self) -> Slot:
        """Return in the tick in which the request is written, with its slot."""

    def written(self, slot: Slot) -> None:
        """Told after the write."""

    def answered(self, slot: Slot) -> None:
        """Told when the answer's headers are there."""

    def ended(self) -> None:
        """Told when an admitted request is over: answered to its end, or failed."""

    def heard(self, status: int, headers: Mapping[str, str], asked: float | None) -> None:
        """Told of each answer.  asked: seconds that it asks to be left alone for (Retry-After)."""

    def failed(self) -> None:
        """Told that a request got no answer."""

    async def is_refused(self, revision: int) -> bool:
        """Return whether the sign-in of this revision of the connection is known to be rejected, by any process."""

    def refuse(self, revision: int) -> None:
        """Told that it was rejected: nothing is asked until the connection is saved again."""


class WindowBudget:
    """The budget of a registry within one process, over all its stages.

    grant: the most requests in any one second at the receiver, and connections.  clock: monotonic seconds.
    """

    def __init__(
        self,
        grant: Grant,
        clock: Callable[[], float] = time.monotonic,
        *,
        wanted: Callable[[int], None] = lambda _: None,
        lowered: Callable[[], None] = lambda: None,
        others_heard: Callable[[], Awaitable[object]] = _nobody_else,
    ) -> None:
        """wanted: called with the number of requests that wait, while they do.

        lowered: called when others should know that the registry asks for less, or is broken.
        others_heard: returns once what other processes tell is known.
        """
        self._adaptive: Final = Adaptive()
        self.permits: Final = Permits(self._connections)
        self.breaker: Final = Breaker()
        self._lowered: Final = lowered
        self._others_heard: Final = others_heard
        self._measured_at = clock()
        self._grant: Final = grant
        self._clock: Final = clock
        self._wanted: Final = wanted
        self._window: Final = Window(0)
        self._turn: Final = asyncio.Lock()
        self._order: Final = asyncio.Lock()
        self._pacer: AsyncLimiter | None = None
        self._pace = 0
        self._demand: Final = Demand(clock())

    async def pace(self) -> None:
        self._demand.waits(self._clock())
        try:
            async with self._turn:
                while seconds := self._seconds_to_turn():
                    self._wanted(self._demand.waiting)
                    await asyncio.sleep(min(seconds, _LONGEST_SLEEP_SECONDS))
                if self._pacer:
                    await self._pacer.acquire()
        finally:
            self._demand.waits_no_more(self._clock())

    async def admit(self) -> Slot:
        self._demand.waits(self._clock())
        try:
            async with self._order:
                while True:
                    self._window.limit = self._requests()
                    wait = self._window.wait_seconds(self._clock())
                    if wait <= 0:
                        self._demand.sent(self._clock())
                        return self._window.take()
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS if math.isinf(wait) else min(wait, _LONGEST_SLEEP_SECONDS))
        finally:
            self._demand.waits_no_more(self._clock())

    def written(self, slot: Slot) -> None:
        slot.written(self._clock())

    def answered(self, slot: Slot) -> None:
        now = self._clock()
        slot.answered(now)
        if slot.written_at is not None:
            self._adaptive.answered(now - slot.written_at)

    def ended(self) -> None:
        self._demand.answered(self._clock())

    def heard(self, status: int, headers: Mapping[str, str], asked: float | None) -> None:
        now, before = self._clock(), self.max_rps
        if status >= _CANNOT and status != _NOT_IMPLEMENTED:
            self.failed()
        else:
            self.breaker.succeeded()
        if status in _TOO_MUCH:
            self._adaptive.later(now, self._window.taken(now), self._grant.max_rps)
        if asked:
            self._adaptive.hold(now, asked)
        if quota := told_quota(headers):
            self._adaptive.quota(now, quota, self._grant.max_rps)
        if self.max_rps < before:
            self._lowered()

    def failed(self) -> None:
        was_broken = self.breaker.is_broken
        self.breaker.failed(self._clock())
        if self.breaker.is_broken and not was_broken:
            self._lowered()

    async def is_refused(self, revision: int) -> bool:
        await self._others_heard()
        return self.breaker.refused == revision

    def refuse(self, revision: int) -> None:
        self.breaker.refused = revision
        self._lowered()

    @property
    def max_rps(self) -> int:
        """How many requests a second the registry may get now, over all processes, as far as this one knows."""
        return self._adaptive.max_rps(self._clock(), self._grant.max_rps)

    @property
    def max_connections(self) -> int:
        """How many connections it may have, likewise."""
        return self._adaptive.max_connections(self._grant.max_connections)

    @property
    def sent(self) -> int:
        """How many requests it has sent in the last second: those that may have arrived within it."""
        return self._window.taken(self._clock())

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way, for a while."""
        permits = self.permits
        return not permits.is_waited_for and not permits.busy and self._demand.is_idle(self._clock())

    def demand(self, *, others_want: bool) -> tuple[float, float]:
        """Return the requests a second and the connections that it has use for, inf for any number; asked at beats.

        others_want: whether others have requests: to them it gives up at once what it has no use for.
        """
        now, used = self._clock(), self.sent
        requests = self._demand.nothing() if others_want and self.is_idle else self._demand.measure(now, used)
        self._adaptive.measure(self.permits.busy, self._grant.max_connections, now - self._measured_at)
        self._measured_at = now
        return requests, self.permits.demand(has_work=bool(used or self._demand.waiting))

    def _seconds_to_turn(self) -> float:
        """Return how long to wait before looking again, 0 when it is the first one's turn."""
        self.breaker.check_patience(self._clock())
        granted = self._requests()
        if not granted or not self._connections():
            return _LONGEST_SLEEP_SECONDS
        if granted != self._pace:
            self._pace, self._pacer = granted, _pacer(granted)
        assert self._pacer is not None
        if not self._pacer.has_capacity():
            return 0.5 / granted
        return self.breaker.wait_seconds(self._clock())

    def _requests(self) -> int:
        return min(self._grant.requests(), self.max_rps)

    def _connections(self) -> int:
        return min(self._grant.connections(), self.max_connections)


def _pacer(max_rps: int) -> AsyncLimiter:
    """Return a pacer just below what the window gives, so that requests with a connection in hand hardly wait."""
    rate = max_rps / (1 + WAY_SECONDS)
    burst = min(float(max_rps), max(2.0, rate * _BURST_SECONDS))
    return AsyncLimiter(burst, burst / rate)
