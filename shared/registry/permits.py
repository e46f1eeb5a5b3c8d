"""How many connections a process may have open to one registry, over all its pools."""

import asyncio
import math
from collections.abc import Callable
from typing import Final, Protocol


class HoldsIdle(Protocol):
    """A pool that may keep connections open for which it has no use at the moment."""

    def close_idle(self, most: int) -> None:
        """Close so many of them, those first that were used longest ago."""

    @property
    def idle(self) -> int:
        """How many there are."""


class Permits:
    """Connections are counted from before they are opened until after they are closed.

    granted: how many may be open now. Where it falls, what is idle is closed at once, what is in use when it ends.
    """

    def __init__(self, granted: Callable[[], int]) -> None:
        self.open = 0
        self._granted: Final = granted
        self._closing = 0
        self._pools: Final[list[HoldsIdle]] = []
        self._waiting = 0
        self._order: Final = asyncio.Lock()
        self._changed: Final = asyncio.Event()

    @property
    def complied(self) -> bool:
        """Whether no more are open than granted."""
        return self.open <= self._granted()

    @property
    def busy(self) -> int:
        """How many are in use."""
        return self.open - self._closing - sum(pool.idle for pool in self._pools)

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody waits for one."""
        return self._waiting > 0

    def join(self, pool: HoldsIdle) -> None:
        """Count a pool's connections, too."""
        self._pools.append(pool)

    def leave(self, pool: HoldsIdle) -> None:
        """Forget a pool; it has closed all its connections."""
        self._pools.remove(pool)

    async def wait_for(self, look: Callable[[], bool]) -> None:
        """Return once `look` says so: first come, first served. It is asked again after each change."""
        self._waiting += 1
        try:
            async with self._order:
                while not look():
                    self._changed.clear()
                    self._make_room()
                    await self._changed.wait()
        finally:
            self._waiting -= 1

    def try_take(self) -> bool:
        """Take the permit to open a connection, if there is one."""
        if self.open >= self._granted():
            return False
        self.open += 1
        return True

    def give_back(self, closing: "asyncio.Future[None]") -> None:
        """Told that a connection is being closed; its permit is free once that is done."""
        self._closing += 1
        closing.add_done_callback(self._closed)

    def look_again(self) -> None:
        """Told when something may have changed: what is granted, or that a connection became idle."""
        excess = self.open - self._closing - self._granted()
        if excess > 0:
            self._close_idle(excess)
        self._changed.set()

    def demand(self, *, has_work: bool) -> float:
        """Return how many there is use for, inf where there is use for any."""
        return math.inf if self._waiting else max(self.open, int(has_work))

    def _make_room(self) -> None:
        """Close an idle connection of another pool, where the first one who waits could have its place."""
        if not self._closing and self.open >= self._granted() > 0:
            self._close_idle(1)

    def _close_idle(self, most: int) -> None:
        for pool in self._pools:
            closing = min(most, pool.idle)
            pool.close_idle(closing)
            most -= closing

    def _closed(self, _: "asyncio.Future[None]") -> None:
        self.open -= 1
        self._closing -= 1
        self._changed.set()
