"""The measured table, in Markdown, and its place in benchmarks/README.md."""

import os
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.distribution import KINDS
from benchmarks.rounds import BARE, FIRST, PEER, SECOND, Rounds, script
from benchmarks.subject import Cost

README: Final = Path(__file__).with_name("README.md")
_BEGIN: Final = "<!-- measured: written by `make bench ARGS=--write` -->"
_END: Final = "<!-- end of measured -->"
_TIMES_FASTER: Final = {"crane": 15, "skopeo": 8}
_MIB: Final = 1024 * 1024


def report(large: Rounds, small: Rounds, machine: str) -> str:
    """Return what was measured. small: loads of a tenth of the registry, for the growth of memory."""
    return "\n".join([machine, "", *_table(large), "", *_goals(large, small)]) + "\n"


def machine_told(load_before: tuple[float, float, float]) -> str:
    """Return where and when this was measured. load_before: the load averages when it began."""
    before, after = (" ".join(f"{load:.1f}" for load in loads) for loads in (load_before, os.getloadavg()))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), {platform.system()}, Python "
        f"{platform.python_version()}. Load average (1, 5, 15 minutes) when it began: {before}; when it ended: {after}."
    )


def write(text: str, readme: Path = README) -> None:
    """Put the text into the README, between its marks."""
    document = readme.read_text(encoding="utf-8")
    head, rest = document.split(_BEGIN)
    _, tail = rest.split(_END)
    readme.write_text(f"{head}{_BEGIN}\n\n{text}\n{_END}{tail}", encoding="utf-8")


def _table(rounds: Rounds) -> Iterator[str]:
    kinds = [kind for kind in KINDS if any(rounds.of(name, _asked(kind)) for name in rounds.names())]
    columns = ["wall s", "tags/s", "time a tag, bare = 1", "client CPU s", "broker CPU s", "registry CPU s", *kinds]
    yield from _lines(["", *columns, "peak RSS MiB"])
    for name in rounds.names():
        peak = rounds.of(name, lambda cost: cost.peak / _MIB)
        yield _line(
            name,
            f"{rounds.of(name, lambda cost: cost.seconds):.1f}",
            f"{rounds.of(name, lambda cost: cost.tags_a_second):.0f}",
            f"{rounds.ratio(name, BARE):.2f}",
            f"{rounds.of(name, lambda cost: cost.cpu):.1f}",
            f"{rounds.of(name, lambda cost: cost.broker_cpu):.1f}",
            f"{rounds.of(name, lambda cost: cost.registry_cpu):.1f}",
            *(f"{rounds.of(name, _asked(kind)):.0f}" for kind in kinds),
            f"{peak:.0f}" if peak else "",
        )


def _goals(large: Rounds, small: Rounds) -> Iterator[str]:
    """Yield the goals with what was measured, reached or not."""
    yield from _lines(["goal", "at most", "measured", "reached"])
    against_go: list[tuple[str, float, float, str]] = []
    if PEER in large.names():
        against_go = [
            ("first load: wall time, the Go program = 1", 2.0, large.ratio(FIRST, PEER), ".2f"),
            ("unchanged load: wall time, the Go program's one load = 1", 0.6, large.ratio(SECOND, PEER), ".2f"),
        ]
    against_tools = [
        (f"first load: time a tag, {script(tool, 1)} = 1", 1 / times, large.ratio(FIRST, script(tool, 1)), ".3f")
        for tool, times in _TIMES_FASTER.items()
        if script(tool, 1) in large.names()
    ]
    growth = large.of(SECOND, _peak) / small.of(SECOND, _peak) - 1
    for what, most, measured, form in (
        ("first load: requests a tag, beside one for each config", 1.05, large.of(FIRST, _requests_a_tag), ".3f"),
        ("first load: wall time, bare loop = 1", 1.3, large.ratio(FIRST, BARE), ".2f"),
        *against_go,
        *against_tools,
        ("first load: client CPU beyond the bare loop's, µs a tag", 150, _overhead(large) * 1e6, ".0f"),
        ("unchanged load: requests a tag", 1.05, large.of(SECOND, _requests_a_tag), ".3f"),
        ("unchanged load: manifest bodies", 0, large.of(SECOND, _asked("manifest 200")), ".0f"),
        ("unchanged load: configs read", 0, large.of(SECOND, _asked("config")), ".0f"),
        ("unchanged load: rows of state beside the listings'", 0, large.of(SECOND, _state_rows), ".0f"),
        ("growth of peak RSS from a tenth of the tags", 0.2, growth, ".3f"),
    ):
        yield _line(what, f"{most:.3g}", f"{measured:{form}}", "yes" if measured <= most else "**no**")


def _overhead(rounds: Rounds) -> float:
    """Return the CPU seconds a tag that the pipeline takes beside fetching: Kafka, codecs, stages, sink and store."""
    return rounds.of(FIRST, _cpu_a_tag) - rounds.of(BARE, _cpu_a_tag)


def _cpu_a_tag(cost: Cost) -> float:
    return cost.cpu / cost.tags


def _asked(kind: str) -> Callable[[Cost], float]:
    return lambda cost: cost.requests[kind]


def _peak(cost: Cost) -> float:
    return cost.peak


def _state_rows(cost: Cost) -> float:
    return float(cost.told["state_rows"])


def _requests_a_tag(cost: Cost) -> float:
    return (cost.requests.total() - cost.requests["config"]) / cost.tags


def _lines(titles: list[str]) -> Iterator[str]:
    yield _line(*titles)
    yield _line("---", *["---:"] * (len(titles) - 1))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
