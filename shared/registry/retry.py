"""When a request is worth trying again, and after how long. Pure: chance and times are given."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

LOCKED_OUT: Final = b"authentication attempts"
"""In the 429 that some registries give to a locked account; each further try would make the lock longer."""


@dataclass(frozen=True)
class RetryPolicy:
    """attempts: times a request is sent.  first_seconds, most_seconds: of the doubling pause between them.

    most_asked_seconds: the longest Retry-After that is waited for. A registry that asks for more is taken at its
    word: the request fails at once. Stays below the time after which a scan without progress ends.
    """

    attempts: int = 4
    first_seconds: float = 0.5
    most_seconds: float = 20.0
    most_asked_seconds: float = 120.0

    def pause(self, attempt: int, asked: float | None, chance: float) -> float | None:
        """Return the seconds to wait after failure number `attempt` (from 1), or None to give up.

        asked: what Retry-After asked for.  chance: from 0 to 1; spreads the pauses.
        """
        if attempt >= self.attempts or (asked or 0) > self.most_asked_seconds:
            return None
        backoff = min(self.first_seconds * 2.0 ** (attempt - 1), self.most_seconds)
        return (asked or 0) + backoff * (0.5 + chance / 2)


def is_transient(status: int, body: bytes) -> bool:
    """Tell whether an answer says "later": 408, 429 (but not to a locked account), 5xx (but not 501)."""
    if status == 429:
        return LOCKED_OUT not in body.lower()
    return status == 408 or (status >= 500 and status != 501)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return what Retry-After asks for, None when it is absent or unreadable; never below 0.

    A date is compared with the answer's own Date, so that clocks need not agree; without one it says nothing. Source:
    RFC 9110, Retry-After.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text), math.ldexp(1, 31))
    at = epoch_seconds(text)
    sent = epoch_seconds(headers.get("date", ""))
    return None if at is None or sent is None else max(0.0, at - sent)


def epoch_seconds(date: str) -> float | None:
    """Return an HTTP date as seconds since the epoch, None where it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
