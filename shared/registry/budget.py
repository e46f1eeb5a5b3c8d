"""The budget of one registry: when its next request may be written.

Two parts (measured, README Decisions): aiolimiter paces, so that there are no bursts; the window rule guarantees.
The pacer waits before a connection is taken, so that waiting for the budget never looks like a full pool; the
window is asked in the very tick the request is written.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final, Protocol

from aiolimiter import AsyncLimiter

from shared.registry.window import WAY_SECONDS, Slot, Window

_BURST_SECONDS: Final = 0.05
"""What the pacer may make up for after waking late; the window rule holds all the same."""

_LOOK_AGAIN_SECONDS: Final = 0.005
"""How soon to look whether a request admitted in this loop turn has been written."""


class Budget(Protocol):
    """The seam for a budget that many processes share: it answers the same questions."""

    async def pace(self) -> None:
        """Return when it is this request's turn; no connection is held meanwhile."""

    async def admit(self) -> Slot:
        """Return in the tick in which the request is written, with its slot."""

    def written(self, slot: Slot) -> None:
        """Told after the write."""

    def answered(self, slot: Slot) -> None:
        """Told when the answer's headers are there."""

    def hold(self, seconds: float) -> None:
        """Send nothing for so long: the registry asked for it."""


class WindowBudget:
    """The budget of a registry within one process, over all its stages.

    max_rps: the most requests in any one second at the receiver.  clock: monotonic seconds.
    """

    def __init__(self, max_rps: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        self._window: Final = Window(max_rps)
        self._order: Final = asyncio.Lock()
        self._pacer = _pacer(max_rps)
        self._held_until = 0.0

    def change(self, max_rps: int) -> None:
        """Use another limit from now on; what is on its way counts."""
        if max_rps != self._window.limit:
            self._window.limit = max_rps
            self._pacer = _pacer(max_rps)

    async def pace(self) -> None:
        await self._pacer.acquire()
        while True:
            wait = self._held_until - self._clock()
            if wait <= 0:
                return
            await asyncio.sleep(wait)

    async def admit(self) -> Slot:
        async with self._order:
            while True:
                wait = self._window.wait_seconds(self._clock())
                if wait <= 0:
                    return self._window.take()
                await asyncio.sleep(_LOOK_AGAIN_SECONDS if math.isinf(wait) else wait)

    def written(self, slot: Slot) -> None:
        slot.written(self._clock())

    def answered(self, slot: Slot) -> None:
        slot.answered(self._clock())

    def hold(self, seconds: float) -> None:
        self._held_until = max(self._held_until, self._clock() + seconds)


def _pacer(max_rps: int) -> AsyncLimiter:
    """Return a pacer just below what the window gives, so that requests with a connection in hand hardly wait."""
    rate = max_rps / (1 + WAY_SECONDS)
    burst = min(float(max_rps), max(2.0, rate * _BURST_SECONDS))
    return AsyncLimiter(burst, burst / rate)
