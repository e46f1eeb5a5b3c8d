"""What a registry tells of its own rate limit, in any of the headers there are for it. Pure.

Sources: draft-ietf-httpapi-ratelimit-headers (-06: RateLimit-Remaining and -Reset in seconds; -10: `RateLimit:
"name";r=50;t=30`), and what products document of their own: a reset that is a time since the epoch, X- before the
names, a window without a reset (`ratelimit-remaining: 76;w=21600`).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.registry.retry import epoch_seconds

_PREFIXES: Final = ("ratelimit-", "x-ratelimit-")
_ITEM: Final = re.compile(r";\s*([a-z]+)\s*=\s*(\d{1,12})(?!\d)")
_NUMBER: Final = re.compile(r"\s*(\d{1,12})\s*(?:,.*|;.*)?$")
_EPOCH: Final = 100_000_000
"""No reset is three years away: a larger number is a time since the epoch."""


@dataclass(frozen=True)
class Quota:
    """remaining: requests that are left.  seconds: until there are more.  limit: of how many, None where not told."""

    remaining: int
    seconds: float
    limit: int | None


def told_quota(headers: Mapping[str, str]) -> Quota | None:
    """Return the quota that an answer tells, None where it tells none that can be read."""
    if combined := headers.get("ratelimit"):
        return _combined(combined)
    for prefix in _PREFIXES:
        if remaining := headers.get(prefix + "remaining"):
            return _apart(headers, prefix, remaining)
    return None


def _combined(text: str) -> Quota | None:
    items = dict(_ITEM.findall(text.split(",", 1)[0]))
    if "r" not in items or "t" not in items:
        return None
    return Quota(int(items["r"]), float(items["t"]), int(items["q"]) if "q" in items else None)


def _apart(headers: Mapping[str, str], prefix: str, remaining: str) -> Quota | None:
    left = _number(remaining)
    seconds = _reset(headers, headers.get(prefix + "reset", ""))
    if seconds is None:
        seconds = _number(dict(_ITEM.findall(remaining)).get("w", ""))
    if left is None or seconds is None:
        return None
    return Quota(left, float(seconds), _number(headers.get(prefix + "limit", "")))


def _reset(headers: Mapping[str, str], text: str) -> float | None:
    """Return in how many seconds; a time is compared with the answer's own Date, so that clocks need not agree."""
    number = _number(text)
    if number is None or number < _EPOCH:
        return number
    sent = epoch_seconds(headers.get("date", ""))
    return None if sent is None else max(0.0, number - math.floor(sent))


def _number(text: str) -> int | None:
    found = _NUMBER.match(text)
    return int(found[1]) if found else None
