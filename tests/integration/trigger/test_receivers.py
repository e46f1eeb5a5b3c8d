"""Triggers are handed to webhooks and to a scanner adapter; what is not taken is kept, and can be delivered again."""

import base64
from typing import Any

import pytest
from pydantic import SecretStr

from shared.connections.secrets import Secrets
from shared.messages.topics import DELIVERY_REQUESTED, dead_letter
from shared.pipeline.topics import topic_name
from shared.settings import Settings
from tests.fakes.scanner_adapter import scanner_adapter
from tests.fakes.webhook_receiver import webhook_receiver
from tests.integration.trigger.working import Connections, digest, event, image, put, tell, trigger
from tests.support.worker import until

REGISTRY = "registry01"
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
LETTERS = dead_letter("deliverer")


def told_to(settings: Settings, **changes: Any) -> Settings:
    secret = {name: SecretStr(value) for name, value in changes.items() if name in SECRET}
    return settings.model_copy(update={"webhook_secret": SecretStr(KEY), **changes, **secret})


SECRET = {"webhooks", "webhook_secret", "scanner_authorization"}


async def test_each_webhook_gets_each_trigger_once_signed_and_in_time(trigger_settings: Settings) -> None:
    async with webhook_receiver(KEY) as one, webhook_receiver(KEY) as other:
        settings = told_to(trigger_settings, webhooks=f"{one.url}, {other.url}")
        async with trigger(settings, Connections().add(REGISTRY, "registry02")) as running:
            await tell(settings, event(image(1)), event(image(1, "registry02")), event(image(2)))
            triggers = {told["id"]: told for told in await running.triggers(2)}
            await until(lambda: len(one.believed) == 2 and len(other.believed) == 2)
    for receiver in (one, other):
        assert receiver.refused == []
        assert {told["id"]: told["data"] for told in receiver.believed} == {
            id_: told["data"] for id_, told in triggers.items()
        }


async def test_a_webhook_that_is_busy_is_tried_again_and_holds_up_no_other(trigger_settings: Settings) -> None:
    async with webhook_receiver(KEY, 503, 429) as busy, webhook_receiver(KEY) as idle:
        settings = told_to(trigger_settings, webhooks=f"{busy.url},{idle.url}")
        async with trigger(settings, Connections().add(REGISTRY)) as running:
            await tell(settings, event(image(1)))
            await until(lambda: len(busy.believed) == 1 and len(idle.believed) == 1)
            assert await running.until(lambda records: True, LETTERS) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(410, b"receiver_refused"), (301, b"receiver_moved"), (503, b"receiver_busy")],
)
async def test_what_a_webhook_does_not_take_is_dead_lettered_and_can_be_delivered_again(
    trigger_settings: Settings, answer: int, reason: bytes
) -> None:
    async with webhook_receiver(KEY, answer) as receiver:
        settings = told_to(trigger_settings, webhooks=receiver.url, delivery_attempts=1)
        async with trigger(settings, Connections().add(REGISTRY)) as running:
            await tell(settings, event(image(1)))
            (letter,) = await running.until(len, LETTERS)
            headers = dict(letter.headers)
            assert (headers["reason"], headers["stage"]) == (reason, b"deliverer")
            assert headers["topic"] == topic_name(settings, DELIVERY_REQUESTED).encode()
            assert b"hidden-path" not in letter.value + b"".join(headers.values())
            assert receiver.believed == []
            await put(settings, DELIVERY_REQUESTED, letter.value, letter.key)  # as a replay does
            await until(lambda: receiver.believed)
    assert [told["data"]["digest"] for told in receiver.believed] == [digest(1)]


async def test_a_signature_by_another_secret_is_not_believed(trigger_settings: Settings) -> None:
    """Shows that the receiver of these tests checks."""
    other = "whsec_" + base64.b64encode(b"o" * 32).decode()
    async with webhook_receiver(other) as receiver:
        settings = told_to(trigger_settings, webhooks=receiver.url, delivery_attempts=1)
        async with trigger(settings, Connections().add(REGISTRY)):
            await tell(settings, event(image(1)))
            await until(lambda: receiver.refused)
    assert (receiver.refused, receiver.believed) == (["signature"], [])


async def test_a_delivery_to_nobody_we_know_is_dead_lettered(trigger_settings: Settings) -> None:
    async with webhook_receiver(KEY) as receiver:
        settings = told_to(trigger_settings, webhooks=receiver.url)
        async with trigger(settings, Connections().add(REGISTRY)) as running:
            await tell(settings, event(image(1)))
            (record,) = await running.until(len, DELIVERY_REQUESTED)
        async with trigger(trigger_settings, Connections().add(REGISTRY)) as running:
            await put(trigger_settings, DELIVERY_REQUESTED, record.value, record.key)
            (letter,) = await running.until(len, LETTERS)
    assert dict(letter.headers)["reason"] == b"receiver_unknown"


async def test_a_scanner_adapter_is_asked_to_scan_what_it_can_pull(trigger_settings: Settings) -> None:
    async with scanner_adapter(token="sesame", busy=1) as adapter:
        settings = told_to(trigger_settings, scanner=f"{adapter.url}/", scanner_authorization="Bearer sesame")
        async with trigger(settings, Connections().add(REGISTRY)):
            await tell(settings, event(image(1)))
            await until(lambda: adapter.accepted)
    assert adapter.accepted == [
        {
            "registry": {"url": f"https://{REGISTRY}.example.com"},
            "artifact": {
                "repository": "team/app",
                "digest": digest(1),
                "mime_type": "application/vnd.oci.image.manifest.v1+json",
                "tag": "v1",
            },
        }
    ]
    assert adapter.refused == [(503, "busy")]


async def test_a_scanner_adapter_is_shown_a_registrys_password_only_where_that_is_set(
    trigger_settings: Settings,
) -> None:
    password = Secrets.of(trigger_settings).encrypt(SecretStr("hunter2"))
    connections = Connections().add(REGISTRY, username="me", password=password).add("guest001")
    async with scanner_adapter() as adapter:
        settings = told_to(trigger_settings, scanner=adapter.url, scanner_pulls_with="basic")
        async with trigger(settings, connections) as running:
            await tell(settings, event(image(1)), event(image(2, "guest001")))
            await until(lambda: len(adapter.accepted) == 2)
            for topic in (DELIVERY_REQUESTED, LETTERS):
                assert b"hunter2" not in b"".join(r.value for r in await running.until(lambda records: True, topic))
    by_host = {asked["registry"]["url"]: asked["registry"] for asked in adapter.accepted}
    assert by_host["https://guest001.example.com"] == {"url": "https://guest001.example.com"}
    shown = by_host[f"https://{REGISTRY}.example.com"]["authorization"]
    assert base64.b64decode(shown.removeprefix("Basic ")) == b"me:hunter2"


async def test_what_an_adapter_cannot_scan_is_dead_lettered(trigger_settings: Settings) -> None:
    async with scanner_adapter() as adapter:
        settings = told_to(trigger_settings, scanner=adapter.url)
        async with trigger(settings, Connections().add(REGISTRY)) as running:
            await tell(settings, event(image(1, media_type="application/vnd.oci.image.manifest.v1+json; x")))
            (letter,) = await running.until(len, LETTERS)
    assert dict(letter.headers)["reason"] == b"receiver_refused"
    assert adapter.refused == [(501, "cannot scan application/vnd.oci.image.manifest.v1+json; x")]
