"""The connections of one client: each line is at most one to each host, kept for the next request or closed.

No more than `max_kept` lines are ever idle, none for longer than their expiry, and the lines of all pools of a
registry have permits from one place.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from shared.registry.permits import Permits


class Closable(Protocol):
    """What a line leads to."""

    def close(self) -> "asyncio.Future[None]":
        """Close its sockets; what is returned is done when they are closed."""


C = TypeVar("C", bound=Closable)


class Line(Generic[C]):
    """A place for one request at a time.  idle_since: seconds, by the loop's clock."""

    def __init__(self, pool: "Pool[C]", session: C) -> None:
        self.session: Final = session
        self.idle_since = 0.0
        self._pool: Final = pool
        self._in_use = True

    def enter(self) -> "Line[C]":
        self._in_use = True
        return self

    def leave(self) -> None:
        """Give the line back; a second time does nothing."""
        if self._in_use:
            self._in_use = False
            self._pool.back(self)


class Pool(Generic[C]):
    """max_kept: the most idle lines.  expiry: seconds after which an idle line is closed.  open_session: makes one."""

    def __init__(self, permits: Permits, max_kept: int, expiry: float, open_session: Callable[[], C]) -> None:
        self._permits: Final = permits
        self._max_kept: Final = max_kept if expiry else 0
        self._expiry: Final = expiry
        self._open_session: Final = open_session
        self._idle: Final[list[Line[C]]] = []
        self._in_use: Final[set[Line[C]]] = set()
        self._closing: Final[set[asyncio.Future[None]]] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False
        permits.join(self)

    @property
    def idle(self) -> int:
        return len(self._idle)

    def try_enter(self) -> Line[C] | None:
        """Return a line where one is free and nobody waits for one."""
        return None if self._permits.is_waited_for else self._free_line()

    async def enter(self) -> Line[C]:
        """Return a line, first come first served; the one that was used last."""
        line: Line[C] | None = None

        def found() -> bool:
            nonlocal line
            line = self._free_line()
            return line is not None

        await self._permits.wait_for(found)
        assert line is not None
        return line

    def back(self, line: Line[C]) -> None:
        """Take a line back."""
        if line not in self._in_use:
            return  # closed meanwhile
        self._in_use.discard(line)
        if self._is_closed or len(self._idle) >= self._max_kept:
            self._close(line)
            return
        line.idle_since = asyncio.get_running_loop().time()
        self._idle.append(line)
        self._permits.look_again()
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._expiry, self._close_expired)

    def close_idle(self, most: int) -> None:
        for line in self._idle[:most]:
            self._close(line)
        del self._idle[:most]

    async def close(self) -> None:
        """Close all lines; those in use fail."""
        self._is_closed = True
        self.close_idle(len(self._idle))
        if self._sweep:
            self._sweep.cancel()
        for line in tuple(self._in_use):
            self._close(line)
        self._in_use.clear()
        await asyncio.gather(*self._closing, return_exceptions=True)
        self._permits.leave(self)

    def _free_line(self) -> Line[C] | None:
        if self._idle:
            line = self._idle.pop().enter()
        elif self._permits.try_take():
            line = Line(self, self._open_session())
        else:
            return None
        self._in_use.add(line)
        return line

    def _close(self, line: Line[C]) -> None:
        closing = line.session.close()
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._permits.give_back(closing)

    def _close_expired(self) -> None:
        self._sweep = None
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._expiry
        self.close_idle(sum(line.idle_since <= oldest for line in self._idle))
        if self._idle:
            self._sweep = loop.call_at(self._idle[0].idle_since + self._expiry, self._close_expired)
