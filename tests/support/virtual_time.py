"""The tests' event loop: what it waits for can come in virtual time, where nothing real is waited for.

Where time is virtual, a loop that has nothing to do moves its clock on to the next timer instead of sleeping until
then. It starts eleven days before the machine did: a timer of a session's fixtures must not fire in it, for what that
sets next would be due in virtual time, and a broker's stop would wait for hours. A thread's work takes no virtual time:
a timeout around it would end first.
"""

import asyncio
import selectors
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

_BEGIN_SECONDS: Final = -1e6  # larger numbers would lose the nanosecond by which a loop tells what is due


class Clock:
    """now: virtual seconds, None where time is real."""

    def __init__(self) -> None:
        self.now: float | None = None

    @contextmanager
    def virtual(self) -> Iterator[None]:
        """Let time be virtual inside the block."""
        self.now = _BEGIN_SECONDS
        try:
            yield
        finally:
            self.now = None


CLOCK: Final = Clock()


class _Selector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if CLOCK.now is None or timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            CLOCK.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(_Selector())

    def time(self) -> float:
        return super().time() if CLOCK.now is None else CLOCK.now


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"selector": _Loop}
