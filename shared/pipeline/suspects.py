"""Messages that failed in a way nobody foresaw: held back until a later message shows that the code works. Pure.

So a poisoned message is set aside, and a bad deploy, which fails every message, drains nothing.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Suspects(Generic[T]):
    """The unexpected errors in a row, with what failed.

    most: so many in a row are no longer the messages' fault.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._row: list[tuple[T, Exception]] = []

    def hold(self, suspect: T, error: Exception) -> bool:
        """Hold the suspect back; return whether the row is now so long that the fault must be ours."""
        self._row.append((suspect, error))
        return len(self._row) >= self.most

    @property
    def held(self) -> Sequence[tuple[T, Exception]]:
        """Those held, with their errors."""
        return self._row

    def convict(self) -> list[tuple[T, Exception]]:
        """A later message succeeded: return those held, with their errors; the row is over."""
        row, self._row = self._row, []
        return row

    def forget(self, doomed: Callable[[T], bool]) -> None:
        """Drop the doomed: they will be delivered again, to somebody."""
        self._row = [(suspect, error) for suspect, error in self._row if not doomed(suspect)]
