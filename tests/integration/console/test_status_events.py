"""`connection.status_changed`: told once for each change, in the transaction that keeps the status."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from services.console.status import keep_status
from shared.messages.cloud_events import event_on_kafka
from shared.messages.connection_notes import Health, StatusChecked
from shared.messages.topics import IMAGE_EVENTS
from tests.fakes.product.server import ProductServer
from tests.integration.console.conftest import Console, draft_of
from tests.support.worker import records_of


async def changes_of(console: Console, registry: str) -> list[dict[str, Any]]:
    """The data of a registry's status events, read committed."""
    records = await records_of(console.system.settings, IMAGE_EVENTS)
    found: list[dict[str, Any]] = [event_on_kafka(record.headers, record.value) for record in records]
    mine = [event for event in found if event["data"]["registry_id"] == registry]
    return [event for event in mine if event["type"] == "dev.tallyman.connection.status_changed"]


async def connected(api: httpx.AsyncClient, server: ProductServer, **fields: object) -> dict[str, Any]:
    made = await api.post("/connections", json=draft_of(server, **fields))
    assert made.status_code == 201, made.text
    connection: dict[str, Any] = made.json()
    return connection


async def test_a_status_is_told_when_it_changes_and_only_then(
    console: Console, api: httpx.AsyncClient, server: ProductServer
) -> None:
    connection = await connected(api, server)
    path = f"/connections/{connection['id']}"
    for _ in range(2):
        assert (await api.post(f"{path}/test")).status_code == 200
    (first,) = await changes_of(console, connection["id"])
    assert (first["data"]["from"], first["subject"]) == (None, f"connection/{connection['id']}")
    wrong = {"password": "wrong"}
    await api.patch(path, json=wrong, headers={"If-Match": '"1"'})
    assert (await api.post(f"{path}/test")).json()["health"] == "failed"
    _, failed = await changes_of(console, connection["id"])
    assert (failed["data"]["from"], failed["data"]["to"]) == (first["data"]["to"], "failed")
    assert failed["data"]["stage"] == "sign_in"
    assert failed["data"]["told"] == (await api.get(f"{path}/status")).json()["told"]


STEPS = [f"{when} {what}" for what in ("put", "tell", "commit") for when in ("before", "after")]


@pytest.mark.parametrize("step", STEPS)
async def test_a_status_is_told_once_wherever_its_writer_dies(
    console: Console, api: httpx.AsyncClient, server: ProductServer, step: str
) -> None:
    """The writer falls asleep at a step; another keeps the same status; the sleeper wakes and does it once more."""
    connection = await connected(api, server)
    status = StatusChecked(
        registry=connection["id"], revision=1, health=Health.OK, checked_at=console.office.clock(), told="All well."
    )
    topic, settings = console.office.topic, console.system.settings
    asleep, awake = asyncio.Event(), asyncio.Event()

    async def at(name: str) -> None:
        if name == step and not asleep.is_set():
            asleep.set()
            await awake.wait()

    class Stepped(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
        async def send_and_wait(self, name: str, *arguments: Any, **options: Any) -> Any:
            what = "put" if name == topic.name else "tell"
            await at(f"before {what}")
            sent = await super().send_and_wait(name, *arguments, **options)
            await at(f"after {what}")
            return sent

        async def commit_transaction(self) -> None:
            await at("before commit")
            await super().commit_transaction()
            await at("after commit")

    stepped = replace(topic, new_producer=Stepped)  # as another process: with a turn of its own
    sleeper = asyncio.create_task(keep_status(settings, stepped, status))
    async with asyncio.timeout(30):
        await asleep.wait()
    offset = await keep_status(settings, topic, status)
    awake.set()
    assert await asyncio.wait_for(sleeper, 30) == offset
    (told,) = await changes_of(console, connection["id"])
    assert told["data"]["to"] == "ok"
