"""All together never pass a limit, in a randomised world; and the world sees it where the rule is weakened."""

from random import Random
from typing import Final

import pytest

from tests.unit.registry.sharing.model import World, hunt
from tests.unit.registry.sharing.weakened import WEAKENED

SECONDS: Final = 90.0
SHORT_SECONDS: Final = 60.0
LONG_WORLDS: Final = 40


@pytest.mark.parametrize("part", range(2))
def test_all_together_never_pass_a_limit(part: int, seeded: Random) -> None:
    seed = seeded.randrange(2**32)
    world = World(seed)
    world.run(SHORT_SECONDS)
    assert world.over == [], seed


@pytest.mark.parametrize("seed", [102, 109])
def test_both_limits_are_used_to_the_full_in_a_known_world(seed: int) -> None:
    """Else the judge would judge nothing."""
    world = World(seed)
    world.run(SECONDS, until=World.is_used_to_the_full)
    assert world.is_used_to_the_full()
    assert world.over == []


@pytest.mark.long
def test_both_limits_are_used_to_the_full_in_most_worlds() -> None:
    passed, requests, connections = hunt(range(100, 108))
    assert passed == 0
    assert requests >= 6
    assert connections >= 3


@pytest.mark.long
@pytest.mark.parametrize("part", range(3))
def test_none_of_many_worlds_passes_a_limit(part: int, seeded: Random) -> None:
    seeds = [seeded.randrange(2**32) for _ in range(LONG_WORLDS)]
    passed, requests, connections = hunt(seeds)
    assert passed == 0, seeds
    assert min(requests, connections) > 0


@pytest.mark.parametrize("left_out", WEAKENED)
def test_a_weaker_rule_is_seen_to_pass_one(left_out: str) -> None:
    make_world, rule, seeds = WEAKENED[left_out]
    worlds = [make_world(seed, rule) for seed in seeds]
    for world in worlds:
        world.run(SECONDS, until=lambda world: bool(world.over))
    assert worlds
    assert all(world.over for world in worlds)


@pytest.mark.long
@pytest.mark.parametrize("left_out", WEAKENED)
def test_it_is_seen_in_new_worlds_too(left_out: str, seeded: Random) -> None:
    make_world, rule, _ = WEAKENED[left_out]
    for _ in range(LONG_WORLDS):
        world = make_world(seeded.randrange(2**32), rule)
        world.run(SECONDS, until=lambda world: bool(world.over))
        if world.over:
            return
    pytest.fail(f"{LONG_WORLDS} worlds and none saw it")
