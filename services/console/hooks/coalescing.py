"""Which hints are due: many hooks tell of one push, and one read answers them all. Pure; the caller tells the time."""

from dataclasses import dataclass, field
from typing import Final

from services.console.hooks.payloads import Target

DELAY_SECONDS: Final = 0.3
"""How long a hint waits for its like."""

COOLING_SECONDS: Final = 3.0
"""How long after a read of it a target is not read again: what comes meanwhile is one more read at the end."""

TAGS_AT_MOST: Final = 20
"""More tags of one repository at once are one read of the repository."""

TARGETS_AT_MOST: Final = 10_000
"""Hints held of one registry; the rest is for the next sweep."""


@dataclass
class Hints:
    """The hints of one registry.  waiting: since when.  read: when it was asked for last."""

    waiting: dict[Target, float] = field(default_factory=dict)
    read: dict[Target, float] = field(default_factory=dict)
    dropped: int = 0

    def add(self, targets: list[Target], now: float) -> None:
        """Take hints; one that waits already is the same."""
        for target in targets:
            if len(self.waiting) >= TARGETS_AT_MOST and target not in self.waiting:
                self.dropped += 1
            else:
                self.waiting.setdefault(target, now)

    def put_back(self, targets: list[Target], at: float) -> None:
        """Take hints again that could not be asked for: they wait from `at` on, and count as not read."""
        for target in targets:
            self.read.pop(target, None)
        self.add(targets, at)

    def due(self, now: float) -> list[Target]:
        """Return what is to be read now, and hold it no longer; whole repositories in the place of many tags."""
        self.read = {target: at for target, at in self.read.items() if now - at < COOLING_SECONDS}
        ready = [
            target for target, since in self.waiting.items() if now - since >= DELAY_SECONDS and target not in self.read
        ]
        chosen = _gathered(ready)
        for target in ready:
            del self.waiting[target]
        self.read |= dict.fromkeys((*ready, *chosen), now)
        return chosen


def _gathered(targets: list[Target]) -> list[Target]:
    tags: dict[str, set[str | None]] = {}
    for repository, tag in targets:
        tags.setdefault(repository, set()).add(tag)
    whole = {repository for repository, of in tags.items() if None in of or len(of) > TAGS_AT_MOST}
    return [(repository, None) for repository in sorted(whole)] + [one for one in targets if one[0] not in whole]
