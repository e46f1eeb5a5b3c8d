"""Webhooks in: a real registry tells of a push, and it is an event a moment later."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.messages.cloud_events import event_on_kafka
from shared.messages.topics import IMAGE_EVENTS
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import topic_name
from tests.fakes.product.server import ProductServer
from tests.integration.console.conftest import Console, draft_of
from tests.support.generator import Estate, generate
from tests.support.generator_push import push_tag
from tests.support.registry import Registry, running_registry

_SECONDS = 30
OCI = "application/vnd.oci.image.manifest.v1+json"


async def connected(api: httpx.AsyncClient, host: str, name: str, **fields: Any) -> tuple[str, str]:
    """The id of a new connection, and the secret of its hooks."""
    made = await api.post("/connections", json={"name": name, "host": host, "max_rps": 5000, **fields})
    assert made.status_code == 201, made.text
    identity = made.json()["id"]
    secret = (await api.post(f"/connections/{identity}/hook-secret")).json()["secret"]
    return identity, secret


async def pushed_image(registry: Registry, estate: Estate, repository: str, tag: str) -> str:
    """Push a new image through the registry's API; return its digest."""
    digest = estate.new_image(repository)
    estate.repositories.setdefault(repository, {})[tag] = digest
    await push_tag(estate, registry, repository, tag)
    return digest


async def events_of(
    console: Console, registry: str, enough: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """The registry's events, once there are enough."""
    settings = console.system.settings
    name = topic_name(settings, IMAGE_EVENTS)
    found: list[dict[str, Any]] = []
    async with (
        asyncio.timeout(_SECONDS),
        AIOKafkaConsumer(
            **client_options(settings), isolation_level="read_committed", auto_offset_reset="earliest"
        ) as consumer,
    ):
        consumer.assign([TopicPartition(name, number) for number in range(settings.partitions)])
        while not enough(found):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                told = [event_on_kafka(record.headers, record.value) for record in records]
                found += [event for event in told if event["data"]["registry_id"] == registry]
    return found


async def scans_of(api: httpx.AsyncClient, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get("/scans", params={"registry": name})).json()["items"]
    return found


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("dev.tallyman.") for event in events]


async def test_a_push_to_a_real_registry_is_an_event_and_so_is_the_next_to_the_same_tag(
    console: Console, api: httpx.AsyncClient, tmp_path: Path
) -> None:
    identity, secret = await connected(api, "http://127.0.0.1:9", "hooked")
    estate = generate(seed=4, repositories=2, tags=3)
    with running_registry(tmp_path, hook=(f"{console.url}/hooks/hooked", secret)) as registry:
        edited = await api.patch(f"/connections/{identity}", json={"host": registry.url}, headers={"If-Match": '"1"'})
        assert edited.status_code == 200, edited.text
        first = await pushed_image(registry, estate, "team/pushed", "1.0")
        told = await events_of(console, identity, lambda events: "image.discovered" in types(events))
        second = await pushed_image(registry, estate, "team/pushed", "1.0")
        told = await events_of(console, identity, lambda events: "tag.moved" in types(events))
    (discovered, *_) = [event for event in told if event["type"].endswith("image.discovered")]
    assert discovered["data"]["digest"] == first
    assert (discovered["data"]["observed_by"], discovered["data"]["reason"]) == ("webhook", "webhook")
    assert discovered["data"]["snapshot"] is False
    (moved,) = [event for event in told if event["type"].endswith("tag.moved")]
    assert (moved["data"]["from"], moved["data"]["to"]) == (first, second)


def pushed(*tags: str, repository: str = "team/app") -> bytes:
    targets = [{"mediaType": OCI, "repository": repository, "tag": tag} for tag in tags]
    return json.dumps({"events": [{"action": "push", "target": target} for target in targets]}).encode()


async def test_twenty_hooks_of_one_push_make_one_read(
    console: Console, api: httpx.AsyncClient, server: ProductServer
) -> None:
    repository = next(name for name, tags in server.estate.repositories.items() if tags)
    tag = next(iter(server.estate.repositories[repository]))
    draft = draft_of(server)
    host, name = str(draft.pop("host")), str(draft.pop("name"))
    identity, secret = await connected(api, host, name, **draft)
    async with console.client(secret) as hooks:
        answers = [
            await hooks.post(f"/hooks/{identity}", content=pushed(tag, repository=repository)) for _ in range(20)
        ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, {"accepted": 1})] * 20
    await events_of(console, identity, lambda events: "scan.completed" in types(events))
    await asyncio.sleep(1.0)
    scans = await scans_of(api, name)
    assert [(scan["kind"], scan["reason"], scan["tags"]) for scan in scans][-1] == ("tag", "webhook", 1)
    assert len(scans) <= 2  # that many hooks may take longer than hints wait: what comes late is one more read


async def test_a_hook_is_a_hint_and_never_the_truth(
    console: Console, api: httpx.AsyncClient, server: ProductServer
) -> None:
    draft = draft_of(server)
    host, name = str(draft.pop("host")), str(draft.pop("name"))
    identity, secret = await connected(api, host, name, **draft)
    async with console.client(secret) as hooks:
        await hooks.post(f"/hooks/{identity}", content=pushed("never-pushed", repository="team/never-was"))
    (end,) = [
        event
        for event in await events_of(console, identity, lambda events: bool(events))
        if event["type"].endswith(("scan.completed", "scan.failed"))
    ]
    assert types(await events_of(console, identity, lambda events: bool(events))) == [
        end["type"].removeprefix("dev.tallyman.")
    ]


@pytest.mark.parametrize("path", ["/hooks/con-unknown", "/hooks/{id}"])
async def test_whoever_does_not_know_the_secret_learns_nothing(
    console: Console, api: httpx.AsyncClient, path: str
) -> None:
    identity, _ = await connected(api, "http://127.0.0.1:9", f"unsigned-{path[-3:].strip('{}')}")
    for token in ("wrong", console.admin, None):
        async with console.client(token) as hooks:
            answer = await hooks.post(path.format(id=identity), content=pushed("1"))
        assert (answer.status_code, answer.json()["reason"]) == (401, "hook_unsigned")


async def test_what_a_connection_is_not_asked_for_is_not_asked(console: Console, api: httpx.AsyncClient) -> None:
    fields: dict[str, Any] = {"exclude": ["team/secret/*"], "include_tags": ["v*"]}
    identity, secret = await connected(api, "http://127.0.0.1:9", "scoped-hooks", **fields)
    async with console.client(secret) as hooks:
        for repository, tag, accepted in (("team/secret/x", "v1", 0), ("team/app", "latest", 0), ("team/app", "v1", 1)):
            answer = await hooks.post(f"/hooks/{identity}", content=pushed(tag, repository=repository))
            assert answer.json() == {"accepted": accepted}
        await api.patch(f"/connections/{identity}", json={"is_active": False}, headers={"If-Match": '"1"'})
        assert (await hooks.post(f"/hooks/{identity}", content=pushed("v1"))).json() == {"accepted": 0}


async def test_a_bad_hook_is_refused_with_what_to_do(console: Console, api: httpx.AsyncClient) -> None:
    identity, secret = await connected(api, "http://127.0.0.1:9", "bad-hooks")
    async with console.client(secret) as hooks:
        unread = await hooks.post(f"/hooks/{identity}", content=b"{}")
        assert (unread.status_code, unread.json()["reason"]) == (422, "hook_unreadable")
        large = await hooks.post(f"/hooks/{identity}", content=b" " * (1024 * 1024 + 1))
        assert (large.status_code, large.json()["reason"]) == (413, "hook_too_large")
        assert (await hooks.get(f"/hooks/{identity}")).status_code == 405
