"""Drawings as numbers: points and labels for the templates' SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

WIDTH: Final = 640.0
HEIGHT: Final = 180.0
_LEFT: Final = 56.0
_BOTTOM: Final = 24.0
_TOP: Final = 10.0


@dataclass(frozen=True)
class Growth:
    """line, area: SVG paths.  rows: (y, label) of the grid.  first, last: labels of the days.  told: all in words."""

    line: str
    area: str
    rows: tuple[tuple[float, str], ...]
    first: str
    last: str
    told: str


@dataclass(frozen=True)
class Bar:
    """share: of the longest, in per cent."""

    label: str
    number: int
    share: float


def growth_of(days: Sequence[tuple[date, int]]) -> Growth:
    """Return the drawing of a number over days, two at least."""
    most = _round_up(max((number for _, number in days), default=0))
    width, height = WIDTH - _LEFT - 8, HEIGHT - _TOP - _BOTTOM
    points = [
        (_LEFT + width * place / (len(days) - 1), _TOP + height * (1 - number / most))
        for place, (_, number) in enumerate(days)
    ]
    line = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    floor = _TOP + height
    area = f"{line} L{points[-1][0]:.1f},{floor:.1f} L{points[0][0]:.1f},{floor:.1f} Z"
    rows = tuple((_TOP + height * (1 - share), f"{round(most * share):,}") for share in (0, 0.5, 1))
    first, last = days[0], days[-1]
    told = f"Images: {first[1]:,} on {first[0]:%-d %B}, {last[1]:,} on {last[0]:%-d %B}."
    return Growth(line, area, rows, f"{first[0]:%-d %b}", f"{last[0]:%-d %b}", told)


def bars_of(numbers: Sequence[tuple[str, int]], most_shown: int = 8) -> tuple[Bar, ...]:
    """Return bars of the largest numbers, what is beyond them in one."""
    shown = list(numbers[:most_shown])
    rest = sum(number for _, number in numbers[most_shown:])
    if rest:
        shown.append(("others", rest))
    longest = max((number for _, number in shown), default=1) or 1
    return tuple(Bar(label, number, round(100 * number / longest, 1)) for label, number in shown)


def _round_up(number: int) -> int:
    """Return the next number of one or two digits and zeros, 4 at least."""
    step = int(10 ** max(0, len(str(number)) - 2))
    return max(4, -(-number // (2 * step)) * 2 * step)
