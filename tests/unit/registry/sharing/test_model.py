"""All together never pass a limit, in a randomised world; and the world sees it where the rule is weakened."""

import pytest

from tests.unit.registry.sharing.model import CalmWorld, World, hunt
from tests.unit.registry.sharing.weakened import WAITS_A_SECOND, WEAKENED


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


IDLE_SECONDS = 0.25
"""Of a whole budget, for each burst of work: two ways of a record, as long as they take in the world."""


def test_little_of_the_budget_lies_idle_when_work_goes_from_stage_to_stage_in_bursts() -> None:
    for seed in range(4):
        world = CalmWorld(seed)
        world.run(40)
        assert world.over == []
        assert world.unused / world.bursts < IDLE_SECONDS


def test_a_rule_by_which_what_was_not_sent_waits_a_second_is_seen_to_leave_the_budget_idle() -> None:
    for seed in range(2):
        world = CalmWorld(seed, WAITS_A_SECOND)
        world.run(40)
        assert world.unused / world.bursts > 2 * IDLE_SECONDS


@pytest.mark.parametrize("left_out", WEAKENED)
def test_a_weaker_rule_is_seen_to_pass_one(left_out: str) -> None:
    make_world, rule, seeds = WEAKENED[left_out]
    worlds = [make_world(seed, rule) for seed in seeds]
    for world in worlds:
        world.run(90)
    assert all(world.over for world in worlds)
