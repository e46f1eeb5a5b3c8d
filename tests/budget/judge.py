"""Reads the raw log of a budget proof, and says what each registry saw. Nothing else decides.

    python -m tests.budget.judge LOG

LOG: JSON lines. `registry` events hold the limits; `request`, `open` and `close` what it saw; `begins` and `ends` where
there surely was a backlog, and how much was left at its end; or each short load's first and last request. Times are in
nanoseconds, of the registry's machine.
Its last line is one JSON object. Exit code 0: no limit was passed, and without faults the budget was used.
"""

import json
import sys
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.fakes.counting_registry import Line, most_in_a_second, most_open

_SECOND_NS: Final = 1_000_000_000
_LEAST_USED: Final = 0.95
_LEAST_USED_OF_ONE: Final = 0.90
"""At one request a second: its turns go round."""

_LEAST_USED_OF_SHORT: Final = 0.75
"""Of short loads, from first request to last: one process uses 0.93, and may be a quarter faster."""


def main(log: Path) -> int:
    limits = judged(json.loads(line) for line in log.read_text().splitlines())
    _print_table(limits)
    print(f"Log: {log}")
    print(json.dumps({"limits": limits}))
    return 0 if all(map(is_well, limits)) else 1


def judged(lines: Iterable[Line]) -> list[Line]:
    """Return a verdict on each registry, in the order in which they came."""
    by_registry: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_registry[line["registry"]].append(line)
    return [_verdict(of_one) for of_one in by_registry.values()]


def is_well(verdict: Line) -> bool:
    """Return whether no limit was passed, and whether it was used where it had to be."""
    if verdict["most_in_a_second"] > verdict["max_rps"] or verdict["most_connections"] > verdict["max_connections"]:
        return False
    least = _LEAST_USED if verdict["max_rps"] > 1 else _LEAST_USED_OF_ONE
    least = _LEAST_USED_OF_SHORT if verdict["loads"] else least
    return bool(verdict["faults"] or verdict["used"] >= least)


def _verdict(lines: list[Line]) -> Line:
    (registry,) = (line for line in lines if line["event"] == "registry")
    times = sorted(line["at"] for line in lines if line["event"] == "request")
    begins = [line["at"] for line in lines if line["event"] == "begins"]
    ends = [line for line in lines if line["event"] == "ends"]
    seconds, within = 0.0, 0
    for begin, end in zip(begins, ends, strict=True):
        seconds += (end["at"] - begin) / _SECOND_NS
        within += bisect_right(times, end["at"]) - bisect_left(times, begin)
    has_backlog = registry.get("loads", 0) > 0 or all(end["left"] > 0 for end in ends)
    return {
        "registry": registry["registry"],
        "max_rps": registry["max_rps"],
        "most_in_a_second": most_in_a_second(times, _SECOND_NS),
        "max_connections": registry["max_connections"],
        "most_connections": most_open(lines),
        "used": round(within / seconds / registry["max_rps"], 3) if has_backlog else 0.0,
        "faults": registry["faults"],
        "loads": registry.get("loads", 0),
        "requests": len(times),
        "seconds": round(seconds, 1),
    }


def _print_table(limits: list[Line]) -> None:
    print(f"{'registry':<16} {'RPS':>5} {'most':>5} {'conns':>6} {'most':>5} {'used':>6} {'requests':>9}  faults")
    for one in limits:
        print(
            f"{one['registry']:<16} {one['max_rps']:>5} {one['most_in_a_second']:>5} {one['max_connections']:>6} "
            f"{one['most_connections']:>5} {one['used']:>6.3f} {one['requests']:>9}  "
            f"{'yes' if one['faults'] else 'no':<4} {'' if is_well(one) else 'WRONG'}"
        )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
