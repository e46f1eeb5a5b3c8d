"""Scans that a person asks for: for images and indexes that are served, once for each asking."""

from typing import Any

import httpx

from shared.messages.codec import decode
from shared.messages.scan_triggers import TriggerReason
from shared.messages.topics import TRIGGER_WANTED
from shared.messages.trigger_wanted import TriggerWanted
from shared.pipeline.partitioning import digest_partition
from tests.fakes.product.server import ProductServer
from tests.integration.console.conftest import Console
from tests.integration.console.test_connections_api import created, loaded
from tests.support.worker import records_of


async def connected(api: httpx.AsyncClient, server: ProductServer) -> str:
    """The id of a registry that is loaded."""
    made = await created(api, server)
    scan = await loaded(api, made["name"])
    assert scan["status"] == "complete"
    return str(made["id"])


async def wanted(console: Console, asked: list[dict[str, Any]]) -> list[TriggerWanted]:
    """The messages of what was asked for, each checked to lie where its digest lies."""
    settings = console.system.settings
    ids = [one["id"] for one in asked]
    found = []
    for record in await records_of(settings, TRIGGER_WANTED):
        message = decode(TriggerWanted, record.value, record.offset)
        if message.id in ids:
            assert record.partition == digest_partition(message.key, settings.partitions)
            found.append(message)
    return sorted(found, key=lambda message: ids.index(message.id))


async def rows_of(console: Console, registry: str, kind: str) -> list[dict[str, Any]]:
    return await console.system.store.query(
        "SELECT repository, concat('sha256:', lower(hex(digest))) AS digest FROM images FINAL "
        "WHERE registry = {registry:String} AND kind = {kind:String} AND present ORDER BY digest",
        {"registry": registry, "kind": kind},
    )


async def test_the_scan_of_an_image_is_asked_for_once_for_each_asking(
    console: Console, api: httpx.AsyncClient, server: ProductServer
) -> None:
    registry = await connected(api, server)
    image, *_ = await rows_of(console, registry, "image")
    asked = [await api.post("/triggers", json={"digest": image["digest"]}) for _ in range(2)]
    assert [answer.status_code for answer in asked] == [202, 202]
    told = [one for answer in asked for one in answer.json()]
    first, second = await wanted(console, told)
    assert first.id != second.id
    assert (first.trigger.trigger, first.trigger.digest) == (TriggerReason.ASKED, image["digest"])
    assert told[0]["reference"] == first.trigger.reference
    assert first.trigger.reference.endswith(f"/{first.trigger.repository}@{image['digest']}")
    assert first.trigger.tags


async def test_asking_for_an_index_asks_for_each_of_its_members_once(
    console: Console, api: httpx.AsyncClient, server: ProductServer
) -> None:
    registry = await connected(api, server)
    index, *_ = await rows_of(console, registry, "index")
    members = await console.system.store.query(
        "SELECT DISTINCT concat('sha256:', lower(hex(child))) AS digest FROM index_children FINAL "
        "WHERE registry = {registry:String} AND `index` = unhex({index:String}) AND present",
        {"registry": registry, "index": index["digest"].removeprefix("sha256:")},
    )
    asked = (await api.post("/triggers", json={"digest": index["digest"]})).json()
    assert sorted(one["digest"] for one in asked) == sorted(row["digest"] for row in members)
    assert len(await wanted(console, asked)) == len(members) > 1


async def test_what_nobody_serves_is_not_asked_for_and_a_reader_may_not_ask(
    console: Console, api: httpx.AsyncClient
) -> None:
    refused = await api.post("/triggers", json={"digest": "sha256:" + "0" * 64})
    assert (refused.status_code, refused.json()["reason"]) == (404, "image_not_served")
    assert (await api.post("/triggers", json={"digest": "latest"})).status_code == 422
    async with console.client(console.reader) as reader:
        assert (await reader.post("/api/v1/triggers", json={"digest": "sha256:" + "0" * 64})).status_code == 403
