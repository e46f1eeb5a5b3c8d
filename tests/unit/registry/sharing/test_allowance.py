"""All together never pass the limit, in a randomised world; and the world sees it where the rule is weakened."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from shared.registry.sharing.allowance import Allowance
from shared.registry.sharing.ledger import TURN_BEATS, Beat, Claim, Farewell, Ledger
from tests.unit.registry.sharing.model import BEAT, REGISTRY, TTL, World


class CurrentShare(Allowance):
    """Uses its share of now, not the smallest of a range."""

    def usable(self, registry: str) -> int:
        now, since = self._clock(), self._usable_from
        is_valid = since is not None and since <= now < self._valid_until
        return self._ledger.share(registry, self._worker) if is_valid else 0


class ShortRange(Allowance):
    """Looks at the last state alone, though others may not have read it."""

    def _told_by(self, moment: float) -> int:
        return self.position


class NeverTooOld(Allowance):
    """Uses its share though nobody may have heard of it for long."""

    def usable(self, registry: str) -> int:
        self._valid_until = float("inf") if self._valid_until > 0 else self._valid_until
        return super().usable(registry)


@pytest.mark.parametrize("seed", range(20))
def test_all_together_never_pass_the_limit(seed: int) -> None:
    world = World(seed)
    world.run(60)
    assert world.over == []


@pytest.mark.parametrize(
    ("weakened", "seeds"),
    [(CurrentShare, range(5)), (ShortRange, range(5)), (NeverTooOld, (72, 93))],
)
def test_a_weaker_rule_is_seen_to_pass_it(weakened: type[Allowance], seeds: range | tuple[int, ...]) -> None:
    worlds = [World(seed, weakened) for seed in seeds]
    for world in worlds:
        world.run(60)
    assert any(world.over for world in worlds)


class Log:
    """Workers that read at once, and a clock."""

    def __init__(self, *names: str, limit: int = 100) -> None:
        self.now, self.position, self.limit = 0.0, -1, limit
        self.wants = dict.fromkeys(names, 1000)
        self.numbers = dict.fromkeys(names, 0)
        self.by_name = {name: Allowance(name, TTL, self._clock()) for name in names}

    def _clock(self) -> Callable[[], float]:
        return lambda: self.now

    def beat(self, seconds: float = BEAT) -> None:
        """Let all beat once, and so much time pass."""
        for name, allowance in list(self.by_name.items()):
            self.numbers[name] += 1
            allowance.sending(self.numbers[name])
            claims = (Claim(REGISTRY, 0, self.wants[name], self.limit),) if self.wants[name] else ()
            self.put(Beat(name, self.numbers[name], allowance.position, claims))
        self.now += seconds

    def put(self, record: Beat | Farewell) -> None:
        self.position += 1
        for allowance in self.by_name.values():
            allowance.read(self.position, record)

    def usable(self) -> dict[str, int]:
        return {name: allowance.usable(REGISTRY) for name, allowance in self.by_name.items()}

    def seconds_until(self, wanted: Callable[[dict[str, int]], bool]) -> float:
        begun = self.now
        while not wanted(self.usable()):
            self.beat()
            assert self.now - begun < 20
        return self.now - begun


def test_who_comes_waits_and_then_the_limit_is_used_to_the_full() -> None:
    log = Log("a", "b", "c")
    waited = log.seconds_until(lambda usable: sum(usable.values()) == log.limit)
    assert TTL + 1 <= waited <= TTL + 2
    assert log.usable() == {"a": 34, "b": 33, "c": 33}


def test_what_one_does_not_want_any_more_another_has_within_two_seconds() -> None:
    log = Log("a", "b")
    log.seconds_until(lambda usable: sum(usable.values()) == log.limit)
    log.wants["a"] = 0
    assert log.seconds_until(lambda usable: usable == {"a": 0, "b": 100}) <= 2.0


def test_who_falls_silent_uses_nothing_and_is_bidden_farewell_and_only_then_others_have_its_share() -> None:
    log = Log("a", "b")
    log.seconds_until(lambda usable: sum(usable.values()) == log.limit)
    silent = log.by_name.pop("a")
    begun = log.now
    while not (gone := log.by_name["b"].gone()):
        log.beat(0.1)
        assert log.usable() == {"b": 50}
    assert log.now - begun >= TTL - BEAT
    assert silent.usable(REGISTRY) == 0
    assert gone == [Farewell("a", log.numbers["a"])]
    log.put(gone[0])
    assert log.seconds_until(lambda usable: usable == {"b": 100}) <= 2.0


def test_a_farewell_to_one_who_lives_is_void_and_one_that_counts_makes_it_come_again() -> None:
    log = Log("a", "b")
    log.seconds_until(lambda usable: sum(usable.values()) == log.limit)
    log.put(Farewell("a", log.numbers["a"] - 1))
    assert log.usable() == {"a": 50, "b": 50}
    log.put(Farewell("a", log.numbers["a"]))
    assert log.usable()["a"] == 0
    assert log.seconds_until(lambda usable: usable == {"a": 50, "b": 50}) >= TTL + 1


def test_a_lowered_limit_holds_once_one_knows_it_and_a_raised_one_once_all_do() -> None:
    ledger = Ledger()
    for position, (worker, number, limit) in enumerate([("a", 1, 100), ("b", 1, 100), ("a", 2, 40), ("b", 2, 40)]):
        ledger.read(position, Beat(worker, number, 0, (Claim(REGISTRY, 0, 500, limit),)))
        told = sum(ledger.shares(REGISTRY).values())
        assert told == (100 if position < 2 else 40)


def test_one_request_a_second_goes_round_by_turns_of_beats() -> None:
    ledger, holders = Ledger(), []
    for number in range(1, 4 * TURN_BEATS):
        for index, worker in enumerate("abc"):
            ledger.read(3 * number + index, Beat(worker, number, 0, (Claim(REGISTRY, 1, 9, 1),)))
        (holder,) = ledger.shares(REGISTRY)
        holders.append(holder)
    changes = [after for before, after in pairwise(holders) if before != after]
    assert changes[:3] == ["b", "c", "a"]
    assert holders.count("a") >= TURN_BEATS - 1
