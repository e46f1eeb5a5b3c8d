"""Whatever crashes, sleeps, comes twice or comes late: what the sink promises holds; and what breaks a rule is seen."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

import pytest

from tests.unit.sink.hunt import Found, look
from tests.unit.sink.mistakes import MISTAKES
from tests.unit.sink.world.scheduler import Variant

RUNS: Final = 10
"""Worlds a part and weather; the long form has more of both, and `python -m tests.unit.sink.hunt` does thousands."""

LONG_PARTS: Final = 10
LONG_RUNS: Final = 100

SEEDS_AT_MOST: Final = 5000
"""New worlds in which a mistake has to show: one is seen in every second world, another in every fiftieth."""


def fresh(seeded: Random, count: int) -> Iterator[int]:
    return (seeded.randrange(2**32) for _ in range(count))


def broken(seeds: Iterable[int], *, rough: bool) -> list[Found]:
    return [found for seed in seeds if (found := look(seed, rough=rough))]


def sees(mistake: Variant, seeds: Iterable[int]) -> bool:
    return any(look(seed, rough=mistake.rough, variant=mistake) for seed in seeds)


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("rough", [False, True], ids=["quiet", "rough"])
def test_no_world_breaks_a_promise(part: int, rough: bool, seeded: Random) -> None:
    assert broken(fresh(seeded, RUNS), rough=rough) == []


@pytest.mark.long
@pytest.mark.parametrize("part", range(LONG_PARTS))
@pytest.mark.parametrize("rough", [False, True], ids=["quiet", "rough"])
def test_none_of_many_worlds_breaks_a_promise(part: int, rough: bool, seeded: Random) -> None:
    assert broken(fresh(seeded, LONG_RUNS), rough=rough) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_the_hunt_sees_a_sink_without_one_of_its_rules(name: str, seeded: Random) -> None:
    """In the world that is known to show it; where that no longer does, in a new one."""
    mistake = MISTAKES[name]
    assert sees(mistake, (mistake.shown_by, *fresh(seeded, SEEDS_AT_MOST)))


@pytest.mark.long
@pytest.mark.parametrize("name", MISTAKES)
def test_the_hunt_sees_it_in_new_worlds_too(name: str, seeded: Random) -> None:
    assert sees(MISTAKES[name], fresh(seeded, SEEDS_AT_MOST))
