"""One trigger for each digest and platform, whichever and however many registries hold it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import Transport

from shared.messages.cloud_events import CloudEvent, of_registry
from shared.messages.codec import encode_whole
from shared.messages.connection_fields import FirstLoadTriggers
from shared.messages.image_events import EventType, StatusEvent
from shared.messages.scan_triggers import ScanTrigger
from shared.messages.topics import TRIGGER_WANTED
from shared.messages.trigger_wanted import TriggerWanted
from shared.settings import Settings
from tests.integration.trigger.working import (
    ARM64,
    AT,
    Connections,
    caught_up,
    digest,
    digests,
    event,
    image,
    put,
    tell,
    trigger,
)

REGISTRY = "registry01"
ID_OF_1_AMD64 = "8bab4dbc-1a31-5046-8135-d415396b7c63"
ID_OF_2_ARM64 = "9a0d4610-e7b1-58b7-844f-4111c600089e"
"""Frozen: whoever has seen one before an upgrade must know it after."""


async def test_an_image_that_several_registries_hold_is_triggered_once_for_each_platform(
    trigger_settings: Settings,
) -> None:
    connections = Connections().add("registry01", "registry02", "registry03")
    await tell(trigger_settings, *(event(image(1, name)) for name in connections.by_registry))
    async with trigger(trigger_settings, connections) as running:
        await tell(trigger_settings, *(event(image(1, name, platform=ARM64)) for name in connections.by_registry))
        await tell(trigger_settings, event(image(2)))
        told = await running.triggers(3)
    assert digests(told) == {digest(1): 2, digest(2): 1}
    assert len({one["id"] for one in told}) == 3


async def test_a_trigger_says_all_that_a_scanner_needs_and_its_id_is_of_the_digest_and_the_platform(
    trigger_settings: Settings,
) -> None:
    async with trigger(trigger_settings, Connections().add(REGISTRY)) as running:
        await tell(trigger_settings, event(image(1)), event(image(2, platform=ARM64), EventType.IMAGE_REAPPEARED))
        by_digest = {one["data"]["digest"]: one for one in await running.triggers(2)}
    first, second = by_digest[digest(1)], by_digest[digest(2)]
    assert (first["type"], first["source"], first["subject"]) == (
        "dev.tallyman.scan.triggered",
        "urn:tallyman:triggers",
        digest(1),
    )
    assert (first["id"], second["id"]) == (ID_OF_1_AMD64, ID_OF_2_ARM64)
    assert set(first["data"]) == set(ScanTrigger.model_fields)
    assert first["data"]["reference"] == f"{REGISTRY}.example.com/team/app@{digest(1)}"
    assert [one["data"]["trigger"] for one in (first, second)] == ["discovered", "reappeared"]


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"first_load_triggers": FirstLoadTriggers.NONE}, {9}),
        ({"first_load_triggers": FirstLoadTriggers.NEWEST, "first_load_newest": 2}, {1, 2, 9}),
        ({"first_load_triggers": FirstLoadTriggers.ALL}, {1, 2, 3, 4, 9}),
    ],
    ids=["none", "newest 2", "all"],
)
async def test_a_connection_says_which_images_of_its_first_load_are_triggered(
    trigger_settings: Settings, fields: dict[str, Any], wanted: set[int]
) -> None:
    first_load = [event(image(number, snapshot=True, snapshot_rank=number)) for number in (1, 2, 3)]
    async with trigger(trigger_settings, Connections().add(REGISTRY, **fields)) as running:
        await tell(trigger_settings, *first_load, event(image(4, snapshot=True)), event(image(9)))
        told = await running.triggers(len(wanted))
    assert digests(told) == {digest(number): 1 for number in wanted}


async def test_other_events_and_those_of_a_deleted_registry_lead_to_nothing(trigger_settings: Settings) -> None:
    status = StatusEvent(
        registry=REGISTRY, registry_id=REGISTRY, host="https://a", previous=None, health="ok", stage="", told="Well."
    )
    changed = CloudEvent.of("s", EventType.STATUS_CHANGED, of_registry(REGISTRY), "connection/1", AT, status)
    removed = event(image(1, tags=()), EventType.IMAGE_REMOVED)
    async with trigger(trigger_settings, Connections().add(REGISTRY)) as running:
        await tell(trigger_settings, changed, removed, event(image(2, "deleted1")), event(image(3)))
        assert digests(await running.triggers(1)) == {digest(3): 1}
        await caught_up(trigger_settings)
        assert digests(await running.triggers(1)) == {digest(3): 1}


async def test_structured_events_are_read_and_sent(trigger_settings: Settings) -> None:
    settings = trigger_settings.model_copy(update={"events_mode": "structured"})
    async with trigger(settings, Connections().add(REGISTRY)) as running:
        await tell(settings, event(image(1)), mode="structured")
        (record,) = await running.until(len)
    assert dict(record.headers) == {"content-type": b"application/cloudevents+json"}
    assert record.key == digest(1).encode()


async def test_what_a_transaction_told_and_took_back_is_not_triggered(trigger_settings: Settings) -> None:
    async with trigger(trigger_settings, Connections().add(REGISTRY)) as running:
        await tell(trigger_settings, event(image(1)), commit=False)
        await tell(trigger_settings, event(image(2)))
        assert digests(await running.triggers(1)) == {digest(2): 1}
        await caught_up(trigger_settings)
        assert digests(await running.triggers(1)) == {digest(2): 1}


async def test_faust_by_itself_would_trigger_what_was_taken_back(trigger_settings: Settings) -> None:
    """Shows that the test before this one can fail."""
    async with trigger(trigger_settings, Connections().add(REGISTRY), transport=Transport) as running:
        await tell(trigger_settings, event(image(1)), commit=False)
        await tell(trigger_settings, event(image(2)))
        assert digests(await running.triggers(2)) == {digest(1): 1, digest(2): 1}


async def test_the_table_is_remembered_on_another_machine(trigger_settings: Settings, tmp_path: Path) -> None:
    connections = Connections().add(REGISTRY, "registry02")
    async with trigger(trigger_settings, connections) as running:
        await tell(trigger_settings, event(image(1)), event(image(2)))
        await running.triggers(2)
    # What waits meanwhile is worked, too. (Faust by itself takes it while it restores the table, and works none of it.)
    await tell(trigger_settings, *(event(image(number, "registry02")) for number in range(1, 30)))
    elsewhere = trigger_settings.model_copy(update={"trigger_data": tmp_path / "not" / "made" / "yet"})
    async with trigger(elsewhere, connections) as running:
        await caught_up(trigger_settings)
        told = await running.triggers(29)
    assert digests(told) == {digest(number): 1 for number in range(1, 30)}


async def test_a_person_may_ask_for_a_scan_again_and_each_asking_counts_once(trigger_settings: Settings) -> None:
    told = image(1)
    fields = {name: getattr(told, name) for name in ScanTrigger.model_fields if name != "trigger"}
    asked = [
        TriggerWanted(trigger=ScanTrigger(**fields, trigger="asked"), seen_at=AT, asked=number)
        for number in ("aa", "aa", "bb")
    ]
    async with trigger(trigger_settings, Connections().add(REGISTRY)) as running:
        await tell(trigger_settings, event(told))
        await running.triggers(1)
        for one in asked:
            await put(trigger_settings, TRIGGER_WANTED, encode_whole(one), one.key)
        triggers = await running.triggers(3)
        await caught_up(trigger_settings)
        assert len(await running.triggers(3)) == 3
    assert len({one["id"] for one in triggers}) == 3
    assert sorted(one["data"]["trigger"] for one in triggers) == ["asked", "asked", "discovered"]


async def test_triggers_are_no_more_in_a_second_than_is_set(trigger_settings: Settings) -> None:
    slow = trigger_settings.model_copy(update={"triggers_per_second": 5.0})
    async with trigger(slow, Connections().add(REGISTRY)) as running:
        await tell(slow, *(event(image(number)) for number in range(12)))
        records = await running.until(lambda records: len(records) >= 12)
    at = sorted(record.timestamp for record in records)
    assert max(sum(start <= other < start + 1000 for other in at) for start in at) <= 6  # one may be late by a moment


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.4, 0.6, 0.8, 1.2])
async def test_it_stops_when_it_is_told_to_even_while_it_starts(trigger_settings: Settings, seconds: float) -> None:
    async with trigger(trigger_settings, Connections().add(REGISTRY)) as running:
        await asyncio.sleep(seconds)
        running.stop.set()
        await asyncio.wait_for(running.task, 20)
        assert running.task.exception() is None
