"""Where messages lie: Kafka's own hash, a registry in its slot, a sharded one beside it."""

from datetime import UTC, datetime

import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from shared.messages.images_observed import ImagesObserved
from shared.messages.model import Message, Reading, ScanContext
from shared.messages.repository_found import RepositoryFound
from shared.messages.scan_progressed import CatalogPage, ScanProgressed
from shared.messages.scan_requested import ScanRequested
from shared.messages.tags_found import TagsFound
from shared.messages.topics import BY_MESSAGE
from shared.pipeline.partitioning import event_key, event_partition, key_of, partition_of

REGISTRY = "0registry"
READING = Reading(id="r", leg="l", page=0, last=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def context(slot: int = 7, shards: int = 1, partitions: int = 24) -> ScanContext:
    return ScanContext(registry=REGISTRY, scan=1, connection=0, slot=slot, shards=shards, partitions=partitions)


def about_a_repository(where: ScanContext, repository: str) -> list[Message]:
    return [
        RepositoryFound(context=where, repository=repository),
        TagsFound(context=where, repository=repository, reading=READING),
        ImagesObserved(context=where, repository=repository, reading=READING, observed_at=NOW),
    ]


def about_the_registry(where: ScanContext) -> list[Message]:
    asked = where.model_dump(include={"registry", "connection", "slot", "shards", "partitions"})
    return [
        ScanRequested(**asked, request="q", requested_at=NOW),
        ScanProgressed(context=where, progress=CatalogPage(page=0, last=True)),
    ]


@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        # Apache Kafka, clients: UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_that_of_kafka(text: bytes, hashed: int) -> None:
    assert murmur2(text) == hashed % 2**32


def test_messages_about_a_registry_are_keyed_by_it_and_lie_in_its_slot() -> None:
    for message in about_the_registry(context(slot=31, shards=8, partitions=24)):
        assert (key_of(message), partition_of(message)) == (b"0registry", 31 % 24)


def test_messages_about_a_repository_are_keyed_by_both() -> None:
    for message in about_a_repository(context(), "team/café"):
        assert key_of(message) == "0registry/team/café".encode()
        assert key_of(message) == event_key(context(), "team/café")


def test_a_registry_of_one_shard_lies_in_its_slot_whole() -> None:
    for message in about_a_repository(context(slot=25), "a/b"):
        assert partition_of(message) == 1


@pytest.mark.parametrize(
    ("repository", "partition"), [("foobar", (7 + (-790332482 & 0x7FFFFFFF) % 5) % 9), ("abc", (7 + 479470107 % 5) % 9)]
)
def test_a_sharded_registry_spreads_by_the_hash_of_the_repository_alone(repository: str, partition: int) -> None:
    for message in about_a_repository(context(slot=7, shards=5, partitions=9), repository):
        assert partition_of(message) == partition


def test_a_sharded_registry_uses_all_its_shards_and_no_other_partition() -> None:
    used = {event_partition(context(slot=22, shards=4), f"team/app-{number}") for number in range(200)}
    assert used == {22, 23, 0, 1}


@given(
    repository=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    slot=st.integers(0, 10_000),
    shards=st.integers(1, 1000),
    partitions=st.integers(1, 1000),
)
def test_every_message_of_a_repository_lies_on_one_partition_that_exists(
    repository: str, slot: int, shards: int, partitions: int
) -> None:
    where = context(slot, shards, partitions)
    found = {partition_of(message) for message in about_a_repository(where, repository)}
    assert found == {event_partition(where, repository)}
    assert 0 <= found.pop() < partitions


def test_every_message_of_the_chain_has_its_place() -> None:
    placed = {type(message) for message in (*about_the_registry(context()), *about_a_repository(context(), "a"))}
    assert placed == set(BY_MESSAGE)


def test_a_message_that_is_not_of_the_chain_has_no_place() -> None:
    for place in (key_of, partition_of):
        with pytest.raises(TypeError, match="Message lies on no topic of the chain"):
            place(Message())
