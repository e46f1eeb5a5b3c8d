"""A deleted registry leaves the state topics, in parts, once, and on its own partitions only."""

from collections.abc import Collection, Mapping, Sequence

from services.sink.forgetting import Forgetting
from services.sink.ports import Outgoing
from shared.messages.topics import IMAGE_STATE, TAG_STATE
from shared.pipeline.partitioning import repository_partition
from shared.store.known import Place
from shared.store.rows import ForgottenRow
from shared.store.state import RepositoryState
from tests.unit.sink.samples import BEGINNING, REGISTRY, digest, manifest, run, seen, state_of

PARTITIONS = 8
PLACE = Place(slot=3, shards=2)


class Stored:
    """A store that knows one registry.  place: None = it was not kept."""

    def __init__(self, states: Mapping[str, RepositoryState], place: Place | None = PLACE) -> None:
        self.states = states
        self.place = place
        self.marked: list[ForgottenRow] = []

    async def insert(self, rows: Sequence[ForgottenRow]) -> None:
        self.marked += rows

    async def place_of(self, registry: str) -> Place | None:
        return self.place

    async def forgotten(self, registry: str) -> Collection[int]:
        return {row.partition for row in self.marked}

    async def known_repositories(self, registry: str) -> Collection[str]:
        return self.states.keys()

    async def repository_states(self, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], RepositoryState]:
        return {key: self.states[key[1]] for key in keys}


def on(partition: int, number: int) -> list[str]:
    """Names of repositories that lie on a partition."""
    names = (f"app{count}" for count in range(100_000))
    ours = (name for name in names if repository_partition(PLACE.slot, PLACE.shards, PARTITIONS, name) == partition)
    return [next(ours) for _ in range(number)]


def all_of(forgetting: Forgetting, deleted: Collection[str]) -> list[list[Outgoing]]:
    """What is sent, part by part, until nothing is."""
    parts = []
    while part := run(forgetting.due(deleted, BEGINNING)):
        parts.append(part)
    return parts


def test_all_that_was_present_gets_a_tombstone_and_what_was_gone_none() -> None:
    facts = [manifest("pair", "index", ["amd64"]), manifest("amd64"), manifest("a")]
    state = state_of(seen(1, {"1": "a", "2": "pair"}, manifests=facts), seen(2, {"2": "pair"}, manifests=facts))
    (name,) = on(3, 1)
    store = Stored({name: state})
    (sent,) = all_of(Forgetting(3, PARTITIONS, store), [REGISTRY])
    assert [(one.topic, one.key.decode(), one.partition, one.value) for one in sent] == [
        (IMAGE_STATE, f"{REGISTRY}/{name}@{digest('amd64')}", 3, None),
        (TAG_STATE, f"{REGISTRY}/{name}:2", 3, None),
    ]
    assert [(row.registry, row.partition) for row in store.marked] == [(REGISTRY, 3)]


def test_each_partition_tells_of_its_own_repositories_and_the_others_of_none() -> None:
    state = state_of(seen(1, {"1": "a"}))
    store = Stored(dict.fromkeys([*on(3, 2), *on(4, 3)], state))
    told = {partition: all_of(Forgetting(partition, PARTITIONS, store), [REGISTRY]) for partition in range(PARTITIONS)}
    assert {partition: sum(map(len, parts)) for partition, parts in told.items() if parts} == {3: 4, 4: 6}
    assert {row.partition for row in store.marked} == {3, 4}


def test_many_repositories_are_told_in_parts_and_anew_where_a_part_was_not_sent() -> None:
    state = state_of(seen(1, {"1": "a"}))
    store = Stored(dict.fromkeys(on(3, 250), state))
    forgetting = Forgetting(3, PARTITIONS, store)
    assert len(run(forgetting.due([REGISTRY], BEGINNING))) == 200
    forgetting.reset()
    assert [len(part) for part in all_of(forgetting, [REGISTRY])] == [200, 200, 100]


def test_what_was_told_is_not_told_again_by_whoever_comes_after() -> None:
    store = Stored(dict.fromkeys(on(3, 2), state_of(seen(1, {"1": "a"}))))
    assert all_of(Forgetting(3, PARTITIONS, store), [REGISTRY])
    assert all_of(Forgetting(3, PARTITIONS, store), [REGISTRY]) == []


def test_nothing_is_told_of_a_registry_whose_place_was_not_kept_or_that_is_there() -> None:
    store = Stored(dict.fromkeys(on(3, 2), state_of(seen(1, {"1": "a"}))), place=None)
    assert all_of(Forgetting(3, PARTITIONS, store), [REGISTRY]) == []
    there = Stored(dict.fromkeys(on(3, 2), state_of(seen(1, {"1": "a"}))))
    assert all_of(Forgetting(3, PARTITIONS, there), []) == []
    assert there.marked == []
