"""How long to wait before a message is tried again."""

from typing import Final

LONGEST_BACKOFF_SECONDS: Final = 60.0
LONGEST_ASKED_SECONDS: Final = 300.0
"""The other side's Retry-After is honoured up to here: a date in the far future must not stop a scan for ever."""

_DOUBLINGS: Final = 10


def backoff_seconds(first: float, failures: int, asked: float | None, chance: float) -> float:
    """Return the wait after so many failures: doubled each time, half of it jitter, never below what was asked.

    first: seconds after the first failure.  failures: from 1.  asked: the other side's Retry-After, seconds.
    chance: a random number in [0, 1).
    """
    grown = min(LONGEST_BACKOFF_SECONDS, first * 2.0 ** min(failures - 1, _DOUBLINGS))
    return max(grown * (0.5 + chance / 2), min(asked or 0.0, LONGEST_ASKED_SECONDS))
