"""The sink in trouble: two at once, a sleeper, poison, a store that does not answer, and more than it can take."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced

from services.sink.decision import Decision
from services.sink.ports import Outgoing
from services.sink.sending import Sending
from services.sink.stage import Sink
from shared.messages.codec import encode
from shared.messages.scan_progressed import UnitOutcome
from shared.messages.topics import IMAGES_OBSERVED, dead_letter
from shared.pipeline.partitioning import key_of, partition_of
from shared.pipeline.stage import StageStopped
from shared.pipeline.topics import topic_name
from shared.settings import Settings
from shared.store import Store
from shared.store.errors import StoreUnavailable
from shared.store.rows import OutboxRow, Row, TagRow
from tests.integration.sink.working import (
    CLOCKS,
    Estate,
    KnownRegistries,
    StoreBetween,
    header,
    listening,
    listings_of,
    outside_the_group,
    put,
    put_raw,
    sink,
)
from tests.support.worker import records_of


async def test_two_sinks_share_the_work_and_one_takes_over_from_the_other(
    settings: Settings, embedded_store: Store, estate: Estate
) -> None:
    names = [f"app{number}" for number in range(60)]
    async with listening(settings) as heard, sink(settings, embedded_store):
        async with sink(settings, embedded_store):
            await put(settings, *(estate.observed(name, {"1": name}) for name in names[:30]))
            await heard.until(lambda: len(heard.units) > 5)
        await put(settings, *(estate.observed(name, {"1": name}) for name in names[30:]))
        await put(settings, *(estate.observed(name, {"1": name}) for name in names[:30]))  # again
        await heard.until(lambda: len(heard.units) == 60)
        await asyncio.sleep(0.5)
    assert len(heard.ids) == len(set(heard.ids)) == 120
    assert len(heard.progress) == 60


async def test_a_sleeper_that_wakes_after_a_takeover_publishes_nothing(
    settings: Settings, embedded_store: Store, estate: Estate
) -> None:
    asleep, awake = asyncio.Event(), asyncio.Event()

    async def sleep(rows: Sequence[Row]) -> None:
        if isinstance(rows[0], TagRow):  # its decision is stored, and nothing of it told
            asleep.set()
            await awake.wait()

    between = StoreBetween(embedded_store, sleep)
    await put(settings, estate.observed("app", {"1": "a"}, context=estate.context(shards=1)))
    async with (
        listening(settings) as heard,
        outside_the_group(settings, IMAGES_OBSERVED, 0, listings_of(between)) as sleeper,
    ):
        async with asyncio.timeout(30):
            await asleep.wait()
        async with sink(settings, embedded_store):
            await heard.until(lambda: heard.units)
            awake.set()
            with pytest.raises(ProducerFenced):
                await asyncio.wait_for(sleeper, 30)
            await put(settings, estate.observed("app", {"1": "b"}, context=estate.context(2, shards=1)))
            await heard.until(lambda: len(heard.progress) == 2)
    assert heard.types[:2].count("tag.created") == 1
    assert len(heard.ids) == len(set(heard.ids)) == 5  # created, discovered; moved, removed, discovered


async def test_a_message_that_is_none_is_dead_lettered_and_its_unit_fails(
    settings: Settings, embedded_store: Store, estate: Estate
) -> None:
    good = estate.observed("good", {"1": "a"})
    bad = estate.observed("bad", {"1": "a"})
    value = encode(bad).replace(b'"sha256:', b'"md5:')
    topic = topic_name(settings, IMAGES_OBSERVED)
    async with sink(settings, embedded_store), listening(settings) as heard:
        await put_raw(settings, [(topic, partition_of(bad), key_of(bad), value), (topic, 0, b"key", b"not even JSON")])
        await put(settings, good)
        await heard.until(lambda: len(heard.units) == 2)
        letters = await records_of(settings, dead_letter("sink"))
    assert heard.units == {"bad": UnitOutcome.FAILED, "good": UnitOutcome.STORED}
    assert {letter.value for letter in letters} == {value, b"not even JSON"}
    assert {header(letter, "reason") for letter in letters} == {"message_unreadable"}


async def test_a_message_that_fails_unexpectedly_is_set_aside_once_a_later_one_succeeds(
    settings: Settings, embedded_store: Store, estate: Estate
) -> None:
    async def poison(rows: Sequence[Row]) -> None:
        if isinstance(rows[0], OutboxRow) and any(getattr(row, "repository", "") == "poison" for row in rows):
            raise ZeroDivisionError(embedded_store, estate.registry)

    context = estate.context(shards=1)
    messages = [estate.observed(name, {"1": name}, context=context) for name in ("first", "poison", "last")]
    async with sink(settings, StoreBetween(embedded_store, poison)), listening(settings) as heard:
        await put(settings, *messages)
        await heard.until(lambda: len(heard.units) == 3)
        (letter,) = await records_of(settings, dead_letter("sink"))
    assert heard.units == {"first": UnitOutcome.STORED, "poison": UnitOutcome.FAILED, "last": UnitOutcome.STORED}
    assert len(heard.ids) == len(set(heard.ids)) == 4
    assert (header(letter, "reason"), header(letter, "error")) == ("unexpected_error", "ZeroDivisionError")
    assert estate.registry.encode() not in b"".join(value for _, value in letter.headers)  # nothing of the error's text


async def test_a_message_that_was_set_aside_is_not_lost_where_the_broker_fails_then(
    settings: Settings, embedded_store: Store, estate: Estate
) -> None:
    failures: list[str] = []
    letters_topic = topic_name(settings, dead_letter("sink"))

    async def poison(rows: Sequence[Row]) -> None:
        if isinstance(rows[0], OutboxRow) and any(getattr(row, "repository", "") == "poison" for row in rows):
            raise ZeroDivisionError

    class FailingOnce(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
        async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
            if not failures and topic == letters_topic:
                failures.append(topic)
                raise KafkaError
            return await super().send_batch(batch, topic, partition=partition)

    context = estate.context(shards=1)
    messages = [estate.observed(name, {"1": name}, context=context) for name in ("first", "poison", "last")]
    failing = sink(settings, StoreBetween(embedded_store, poison), new_producer=FailingOnce)
    async with failing, listening(settings) as heard:
        await put(settings, *messages)
        await heard.until(lambda: len(heard.units) == 3)
        letters = await records_of(settings, dead_letter("sink"))
    assert (len(failures), len(letters)) == (1, 1)
    assert heard.units == {"first": UnitOutcome.STORED, "poison": UnitOutcome.FAILED, "last": UnitOutcome.STORED}


async def test_a_decision_that_cannot_be_told_is_set_aside_and_nothing_of_its_transaction_is_told(
    settings: Settings, embedded_store: Store, estate: Estate
) -> None:
    class Poisoned(Sending):
        def of_decision(self, decision: Decision) -> Iterator[Outgoing]:
            for number, record in enumerate(super().of_decision(decision)):
                if number and decision.repository == "poison":
                    raise ZeroDivisionError
                yield record

    context = estate.context(shards=1)
    messages = [estate.observed(name, {"1": name}, context=context) for name in ("first", "poison", "last")]
    async with sink(settings, embedded_store, sending=Poisoned()), listening(settings) as heard:
        await put(settings, *messages)
        await heard.until(lambda: len(heard.units) == 3)
        (letter,) = await records_of(settings, dead_letter("sink"))
    assert heard.units == {"first": UnitOutcome.STORED, "poison": UnitOutcome.FAILED, "last": UnitOutcome.STORED}
    assert header(letter, "error") == "ZeroDivisionError"
    assert len(heard.ids) == len(set(heard.ids)) == 4


async def test_a_fault_of_our_own_stops_the_sink_with_nothing_committed(
    settings: Settings, embedded_store: Store, estate: Estate
) -> None:
    async def fail(rows: Sequence[Row]) -> None:
        raise ZeroDivisionError

    context = estate.context(shards=1)
    names = [f"app{number}" for number in range(settings.errors_in_a_row + 1)]
    await put(settings, *(estate.observed(name, {"1": name}, context=context) for name in names))
    with pytest.raises(StageStopped):
        async with sink(settings, StoreBetween(embedded_store, fail)) as working:
            await asyncio.wait((working,), timeout=30)
    async with sink(settings, embedded_store), listening(settings) as heard:
        await heard.until(lambda: len(heard.units) == len(names))
    assert await records_of(settings, dead_letter("sink")) == []


async def test_a_store_that_does_not_answer_is_waited_for(
    settings: Settings, embedded_store: Store, estate: Estate
) -> None:
    tries = []

    async def down(rows: Sequence[Row]) -> None:
        tries.append(type(rows[0]))
        if len(tries) in (1, 3):
            raise StoreUnavailable("It does not answer.")

    async with sink(settings, StoreBetween(embedded_store, down)), listening(settings) as heard:
        await put(settings, estate.observed("app", {"1": "a"}))
        await heard.until(lambda: heard.units)
    assert len(tries) > 3
    assert sorted(heard.types) == ["image.discovered", "tag.created"]


async def test_a_backlog_is_worked_in_batches_and_held_only_as_far_as_two_of_them(
    settings: Settings, embedded_store: Store, estate: Estate
) -> None:
    """Each message weighs 4, about: itself, a tag, a manifest."""
    small = settings.model_copy(update={"sink_rows": 30})
    context = estate.context(shards=1)
    names = [f"app{number:03}" for number in range(400)]
    await put(settings, *(estate.observed(name, {"1": name}, context=context) for name in names))
    batches: list[int] = []
    held: list[int] = []
    stop = asyncio.Event()

    async def note(rows: Sequence[Row]) -> None:
        if isinstance(rows[0], OutboxRow):
            batches.append(len(rows))
            held.append(working.rows_held)

    working = Sink(small, StoreBetween(embedded_store, note), KnownRegistries(), Sending(), CLOCKS)
    async with listening(settings) as heard:
        task = asyncio.create_task(working.run(stop))
        await heard.until(lambda: len(heard.units) == len(names))
        stop.set()
        await task
    assert max(batches) <= 10
    assert len(batches) < 80
    assert max(held) <= 2 * 30 + 5 * 50  # what one poll may bring beyond; all would be 1600
