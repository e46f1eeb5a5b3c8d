"""Which scans have stalled. Pure; the caller tells the time by a monotonic clock of its own process."""

from collections.abc import Hashable
from dataclasses import dataclass

from shared.messages.model import ScanContext

ScanKey = tuple[str, int]


@dataclass
class _Watched:
    context: ScanContext
    since: float
    mark: Hashable = 0


class Stalls:
    """Watches running scans: one of which nothing was heard for `stall_seconds` is overdue."""

    def __init__(self, stall_seconds: float) -> None:
        self.stall_seconds = stall_seconds
        self._watched: dict[ScanKey, _Watched] = {}

    def heard(self, context: ScanContext, now: float) -> None:
        """Something of the scan came."""
        self._watched[context.registry, context.scan] = _Watched(context, now)

    def ended(self, context: ScanContext) -> None:
        """Watch the scan no longer."""
        self._watched.pop((context.registry, context.scan), None)

    def overdue(self, now: float) -> list[ScanContext]:
        """Return the scans of which nothing was heard for too long."""
        return [one.context for one in self._watched.values() if now - one.since >= self.stall_seconds]

    def marked(self, context: ScanContext, mark: Hashable, now: float) -> bool:
        """Return True when `mark`, a measure of the scan's progress elsewhere, is as it was; else count it as heard."""
        watched = self._watched[context.registry, context.scan]
        if watched.mark == mark:
            return True
        watched.mark, watched.since = mark, now
        return False
