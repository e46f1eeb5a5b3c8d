"""All together never pass a limit, in a randomised world; and the world sees it where the rule is weakened."""

import pytest

from tests.unit.registry.sharing.model import World, hunt
from tests.unit.registry.sharing.weakened import WEAKENED


@pytest.mark.parametrize("seed", range(12))
def test_all_together_never_pass_a_limit(seed: int) -> None:
    world = World(seed)
    world.run(90)
    assert world.over == []


def test_both_limits_are_used_to_the_full_in_most_worlds() -> None:
    """Else the judge would judge nothing."""
    passed, requests, connections = hunt(range(100, 108))
    assert passed == 0
    assert requests >= 6
    assert connections >= 3


@pytest.mark.parametrize("left_out", WEAKENED)
def test_a_weaker_rule_is_seen_to_pass_one(left_out: str) -> None:
    make_world, rule, seeds = WEAKENED[left_out]
    worlds = [make_world(seed, rule) for seed in seeds]
    for world in worlds:
        world.run(90)
    assert worlds
    assert all(world.over for world in worlds)
