"""The window: how many repositories of a registry may be unfinished at once, and which are.

It holds what this process sent on itself since it started, so that no registry fills the buffers that all share.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from shared.messages.connection_changed import Connection
from shared.messages.model import ScanContext
from shared.messages.scan_progressed import ScanCancelled, ScanEnded, ScanProgressed, ScanTimedOut, UnitReported

_Unit = tuple[int, str]

_NARROWEST: Final = 4
_SECONDS_OF_WORK: Final = 4


def width(connection: Connection, most: int) -> int:
    """Return how many repositories of the registry may be unfinished: a few seconds' worth of requests, at most `most`.

    A slow registry gets a narrow window, so that a targeted scan of it waits for seconds.
    """
    return min(most, max(_NARROWEST, connection.max_rps * _SECONDS_OF_WORK))


class Window:
    """The units (scan, repository) sent on and not heard of since, by registry.

    clock: monotonic seconds.  stall_seconds: a unit not heard of for so long no longer counts; its scan times out too.
    """

    def __init__(self, clock: Callable[[], float], stall_seconds: float) -> None:
        self._clock: Final = clock
        self._stall_seconds: Final = stall_seconds
        self._entered: Final[dict[str, dict[_Unit, float]]] = {}
        self._changed = asyncio.Event()

    def unfinished(self, registry: str) -> int:
        """Return how many units of the registry count now."""
        return len(self._entered.get(registry, ()))

    async def enter(self, context: ScanContext, repository: str, most: int) -> None:
        """Wait until fewer than `most` units of the registry are unfinished, then count this one too."""
        unit = (context.scan, repository)
        while not self._has_room(context.registry, unit, most):
            await self._change(context.registry)
        units = self._entered.setdefault(context.registry, {})
        units.pop(unit, None)  # of an earlier working of the same message: the oldest stay first
        units[unit] = self._clock()

    def hear(self, message: ScanProgressed) -> None:
        """Let the units go that the message tells the end of."""
        units = self._entered.get(message.context.registry, {})
        match message.progress:
            case UnitReported(repository=repository):
                units.pop((message.context.scan, repository), None)
            case ScanEnded() | ScanTimedOut() | ScanCancelled():
                for unit in [unit for unit in units if unit[0] == message.context.scan]:
                    del units[unit]
            case _:
                return
        if not units:
            self._entered.pop(message.context.registry, None)
        self._changed.set()
        self._changed = asyncio.Event()

    def _has_room(self, registry: str, unit: _Unit, most: int) -> bool:
        units = self._entered.get(registry, {})
        stalled = self._clock() - self._stall_seconds
        for overdue in [unit for unit, entered in units.items() if entered <= stalled]:
            del units[overdue]
        return unit in units or len(units) < most

    async def _change(self, registry: str) -> None:
        """Return at the next message, or when the registry's oldest unit stalls."""
        oldest = min(self._entered[registry].values())
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, oldest + self._stall_seconds - self._clock())):
                await self._changed.wait()
