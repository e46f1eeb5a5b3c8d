"""What a worker remembers of the log: its part of a registry over positions, and positions over time. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from shared.registry.sharing.division import Part


@dataclass(frozen=True)
class _Entry:
    """mine: the part as of a position, until the next entry's.  alone: nobody else had one."""

    position: int
    mine: Part
    alone: bool


@dataclass
class History:
    """The parts of one registry over positions, the last ones."""

    entries: deque[_Entry] = field(default_factory=deque)

    def note(self, position: int, mine: Part, *, alone: bool) -> None:
        last = self.entries[-1] if self.entries else _Entry(-1, Part(0, 0), alone=True)
        if (last.mine, last.alone) != (mine, alone):
            self.entries.append(_Entry(position, mine, alone))

    def forget_before(self, position: int) -> None:
        """Forget what held only before a position."""
        while len(self.entries) > 1 and self.entries[1].position <= position:
            self.entries.popleft()

    def usable(self, start: int, *, may_be_alone: bool) -> int:
        """Return what may be used over the states from a position on.  may_be_alone: whether all of them are known."""
        sends = []
        is_alone = may_be_alone
        for entry in reversed(self.entries):
            sends.append(entry.mine.sends)
            is_alone = is_alone and entry.alone
            if entry.position <= start:
                break
        else:
            sends.append(0)  # before its first entry there was nothing
        return sends[0] if is_alone else min(sends)

    def first_below(self, used: int, after: int) -> int | None:
        """Return the first position after another as of which it held less than is used, None where there is none."""
        known_since = self.entries[0].position if self.entries else None
        if known_since is None or known_since > after + 1:
            return after + 1  # there it held nothing
        ends = [entry.position for entry in self.entries][1:]
        for entry, end in zip(self.entries, [*ends, None], strict=True):
            if (end is None or end > after + 1) and entry.mine.holds < used:
                return max(entry.position, after + 1)
        return None


class Moments:
    """Positions by the moment at which they were known, the last ones.

    seconds: how far back it is asked.  step: positions known sooner after another are left out.
    """

    def __init__(self, seconds: float, step: float = 0.0) -> None:
        self._seconds: Final = seconds
        self._step: Final = step
        self._known: Final[deque[tuple[float, int]]] = deque()

    def note(self, now: float, position: int) -> None:
        if not self._known or now - self._known[-1][0] >= self._step:
            self._known.append((now, position))
        self.oldest(now)

    def oldest(self, now: float) -> int:
        """Return the last one that was known as long ago as is asked, -1 where none was, and forget those before."""
        while len(self._known) > 1 and self._known[1][0] <= now - self._seconds:
            self._known.popleft()
        at, position = self._known[0] if self._known else (float("inf"), -1)
        return position if at <= now - self._seconds else -1

    def by(self, moment: float) -> int:
        """Return the last position known by a moment, -1 where none was."""
        return next((position for at, position in reversed(self._known) if at <= moment), -1)
