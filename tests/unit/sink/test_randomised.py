"""Whatever crashes, sleeps, comes twice or comes late: what the sink promises holds; and what breaks a rule is seen."""

from typing import Final

import pytest

from tests.unit.sink.hunt import look
from tests.unit.sink.mistakes import MISTAKES

PARTS: Final = 10
RUNS: Final = 15
"""Parts a weather, and runs a part; `python -m tests.unit.sink.hunt` does thousands."""

SEEDS_AT_MOST: Final = 200
"""Worlds in which a mistake has to show."""


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("rough", [False, True], ids=["quiet", "rough"])
def test_no_world_breaks_a_promise(part: int, rough: bool) -> None:
    seeds = range(part * RUNS, (part + 1) * RUNS)
    assert [found for seed in seeds if (found := look(seed, rough=rough))] == []


@pytest.mark.parametrize("name", MISTAKES)
def test_the_hunt_sees_a_sink_without_one_of_its_rules(name: str) -> None:
    mistake = MISTAKES[name]
    assert any(look(seed, rough=mistake.rough, variant=mistake) for seed in range(SEEDS_AT_MOST))
