"""The budget of one registry in one process: when its next request may be written, and when a connection opened.

Two parts for requests (measured, README Decisions): aiolimiter paces, so that there are no bursts; the window rule
guarantees. The pacer waits before a connection is taken, so that waiting for the budget never looks like a full pool;
the window is asked in the very tick the request is written. What is granted is asked each time: it may be the whole of
the registry's limits, or this process's share of them.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final, Protocol

from aiolimiter import AsyncLimiter

from shared.registry.demand import Demand
from shared.registry.grant import Grant
from shared.registry.permits import Permits
from shared.registry.window import WAY_SECONDS, Slot, Window

_BURST_SECONDS: Final = 0.05
"""What the pacer may make up for after waking late; the window rule holds all the same."""

_LOOK_AGAIN_SECONDS: Final = 0.005
"""How soon to look whether a request admitted in this loop turn has been written."""

_LONGEST_SLEEP_SECONDS: Final = 0.02
"""What is granted may change meanwhile."""


class Budget(Protocol):
    """What a request asks on its way."""

    @property
    def permits(self) -> Permits:
        """Who may open connections."""

    async def pace(self) -> None:
        """Return when it is this request's turn; no connection is held meanwhile."""

    async def admit(self) -> Slot:
        """Return in the tick in which the request is written, with its slot."""

    def written(self, slot: Slot) -> None:
        """Told after the write."""

    def answered(self, slot: Slot) -> None:
        """Told when the answer's headers are there."""

    def ended(self) -> None:
        """Told when an admitted request is over: answered to its end, or failed."""

    def hold(self, seconds: float) -> None:
        """Send nothing for so long: the registry asked for it."""


class WindowBudget:
    """The budget of a registry within one process, over all its stages.

    grant: the most requests in any one second at the receiver, and connections.  clock: monotonic seconds.
    """

    def __init__(
        self, grant: Grant, clock: Callable[[], float] = time.monotonic, wanted: Callable[[], None] = lambda: None
    ) -> None:
        """wanted: called when something is wanted and nothing is granted."""
        self.permits: Final = Permits(grant.connections)
        self._grant: Final = grant
        self._clock: Final = clock
        self._wanted: Final = wanted
        self._window: Final = Window(0)
        self._turn: Final = asyncio.Lock()
        self._order: Final = asyncio.Lock()
        self._pacer: AsyncLimiter | None = None
        self._pace = 0
        self._held_until = 0.0
        self._demand: Final = Demand(clock())

    async def pace(self) -> None:
        self._demand.waits(self._clock())
        try:
            async with self._turn:
                while seconds := self._seconds_to_turn():  # noqa: ASYNC110  # it waits for time to pass
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
                    self._window.limit = self._grant.requests()
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
        slot.answered(self._clock())

    def ended(self) -> None:
        self._demand.answered(self._clock())

    def hold(self, seconds: float) -> None:
        self._held_until = max(self._held_until, self._clock() + seconds)

    def demand(self) -> tuple[float, float]:
        """Return the requests a second and the connections that it has use for, inf for any number; asked at beats."""
        used = self._window.taken(self._clock())
        requests = self._demand.measure(self._clock(), used)
        return requests, self.permits.demand(has_work=bool(used or self._demand.waiting))

    def _seconds_to_turn(self) -> float:
        """Return how long to wait before looking again, 0 when it is the first one's turn."""
        held = self._held_until - self._clock()
        if held > 0:
            return held
        granted = self._grant.requests()
        if not granted or not self._grant.connections():
            self._wanted()
            return _LONGEST_SLEEP_SECONDS
        if granted != self._pace:
            self._pace, self._pacer = granted, _pacer(granted)
        assert self._pacer is not None
        return 0.0 if self._pacer.has_capacity() else 0.5 / granted


def _pacer(max_rps: int) -> AsyncLimiter:
    """Return a pacer just below what the window gives, so that requests with a connection in hand hardly wait."""
    rate = max_rps / (1 + WAY_SECONDS)
    burst = min(float(max_rps), max(2.0, rate * _BURST_SECONDS))
    return AsyncLimiter(burst, burst / rate)
