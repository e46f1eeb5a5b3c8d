"""Rounds of measuring: in each, every subject reads the same registry once, one after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.command_line import TOOLS, installed_tools, read_with
from benchmarks.distribution import Distribution
from benchmarks.go_peer import GOROUTINES, built_peer
from benchmarks.subject import Cost, running

FIRST: Final = "Tallyman, first load"
SECOND: Final = "Tallyman, unchanged load"
BARE: Final = "bare loop: our transport"
PLAIN: Final = "bare loop: httpx"
PEER: Final = f"Go, go-containerregistry's remote, {GOROUTINES} goroutines"

_AT_ONCE: Final = (1, 8)
"""How many tags a script reads with a command line tool at a time."""

_SAMPLE: Final = 200
_MODULE_OF_LOADS: Final = "benchmarks.loads"
_MODULE_OF_BARE: Final = "benchmarks.bare"

Round = dict[str, Cost]
"""Each subject's cost, by its name."""


def one_round(registry: Distribution, connections: int) -> Round:
    """Measure every subject once."""
    costs: Round = {}
    with running(_MODULE_OF_BARE, registry, str(connections), "own") as bare:
        costs[BARE] = bare.work()
    costs |= loads(registry, connections)
    if peer := built_peer():
        with running(peer, registry, str(GOROUTINES)) as go:
            costs[PEER] = go.work()
    with running(_MODULE_OF_BARE, registry, str(connections), "httpx") as plain:
        costs[PLAIN] = plain.work()
    for tool in installed_tools():
        for at_once in _AT_ONCE:
            costs[script(tool, at_once)] = read_with(tool, registry, _SAMPLE, at_once)
    return costs


def script(tool: str, at_once: int) -> str:
    """Return what a script with a tool is called."""
    commands = " and ".join(command[0] for command in TOOLS[tool])
    return f"{tool} {commands}, {at_once} at a time, {_SAMPLE} tags"


def loads(registry: Distribution, connections: int) -> Round:
    """Measure a first load and an unchanged one."""
    with running(_MODULE_OF_LOADS, registry, str(connections)) as tallyman:
        return {FIRST: tallyman.work(), SECOND: tallyman.work()}


@dataclass(frozen=True)
class Rounds:
    """Some rounds over one registry, and medians over them."""

    rounds: list[Round]

    def names(self) -> Iterator[str]:
        """Yield the subjects' names."""
        yield from self.rounds[0]

    def of(self, name: str, value: Callable[[Cost], float]) -> float:
        """Return the median of a subject's value."""
        return median(value(costs[name]) for costs in self.rounds)

    def ratio(self, name: str, to: str) -> float:
        """Return the median, over the rounds, of how long a tag took one subject for each second it took another."""
        return median(costs[to].tags_a_second / costs[name].tags_a_second for costs in self.rounds)

    def statuses(self) -> set[str]:
        """Return how the jobs ended: `complete` alone, if the numbers are to be believed."""
        return {str(cost.told["status"]) for costs in self.rounds for cost in costs.values()}
