"""Dead letters, as the API and the pages handle them: shown as they came, replayed once, dropped."""

import asyncio
from base64 import b64decode
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer

from shared.messages.topics import CONNECTION_CHANGED, DELIVERY_REQUESTED, IMAGE_EVENTS, TAGS_FOUND, dead_letter
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import topic_name
from tests.integration.console.conftest import Console
from tests.support.worker import records_of

_SECONDS = 30

Letter = dict[str, Any]


async def poisoned(console: Console, value: bytes, partition: int = 0) -> None:
    """Put something on `tags.found` that is no message."""
    settings = console.system.settings
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        await producer.send_and_wait(topic_name(settings, TAGS_FOUND), value, b"the key", partition=partition)


async def letters(api: httpx.AsyncClient, value: bytes, most: int = 1, **query: str) -> list[Letter]:
    """The letters of a value, once there are as many, the oldest first."""
    async with asyncio.timeout(_SECONDS):
        while True:
            listed = (await api.get("/dead-letters", params={"stage": "manifester", **query})).json()
            whole = [(await api.get(f"/dead-letters/{letter['name']}")).json() for letter in listed]
            found = [letter for letter in whole if b64decode(letter["value"] or "") == value]
            if len(found) >= most:
                return sorted(found, key=lambda letter: str(letter["written_at"]))
            await asyncio.sleep(0.2)


async def test_what_cannot_be_read_is_kept_byte_for_byte_with_its_reason(
    console: Console, api: httpx.AsyncClient
) -> None:
    value = b"\xff\x00 not even text"
    await poisoned(console, value, partition=1)
    (letter,) = await letters(api, value)
    assert b64decode(letter["key"]) == b"the key"
    assert letter["text"] is None
    assert (letter["stage"], letter["state"], letter["reason"]) == ("manifester", "open", "message_unreadable")
    assert (letter["topic"], letter["partition"]) == (topic_name(console.system.settings, TAGS_FOUND), 1)
    assert letter["size_bytes"] == len(value) + len(b"the key")
    assert letter["written_at"] >= letter["first_seen"]


async def test_a_letter_is_replayed_once_however_many_ask(console: Console, api: httpx.AsyncClient) -> None:
    value = b"{to be replayed"
    await poisoned(console, value)
    (letter,) = await letters(api, value)
    path = f"/dead-letters/{letter['name']}"
    answers = await asyncio.gather(*(api.post(f"{path}/replay") for _ in range(4)))
    assert sorted(answer.json()["sent"] for answer in answers) == [False, False, False, True]
    (old,) = await letters(api, value, state="replayed")
    assert old["name"] == letter["name"]
    (again,) = await letters(api, value)  # it is as unreadable as it was
    assert again["offset"] > letter["offset"]
    assert again["key"] == letter["key"]
    assert (await api.post(f"{path}/drop")).status_code == 204
    assert (await api.get(path)).json()["state"] == "replayed"  # what was done stays told


async def test_a_dropped_letter_is_no_longer_open(console: Console, api: httpx.AsyncClient) -> None:
    value = b"[to be dropped]"
    await poisoned(console, value)
    (letter,) = await letters(api, value)
    for _ in range(2):
        assert (await api.post(f"/dead-letters/{letter['name']}/drop")).status_code == 204
    assert letter["name"] not in [one["name"] for one in (await api.get("/dead-letters")).json()]
    (dropped,) = await letters(api, value, state="dropped")
    assert dropped["handled_at"] is not None
    assert (await api.post(f"/dead-letters/{letter['name']}/replay")).json() == {"sent": True}  # second thoughts


async def test_a_letter_that_names_no_place_of_ours_is_shown_and_not_replayed(
    console: Console, api: httpx.AsyncClient
) -> None:
    settings = console.system.settings
    connections = topic_name(settings, CONNECTION_CHANGED)
    strange = [
        [],
        [("topic", b"\xff"), ("partition", b"-1"), ("first_seen", b"9" * 30)],
        [("topic", connections.encode()), ("partition", b"0"), ("offset", b"0")],
        [("topic", topic_name(settings, TAGS_FOUND).encode()), ("partition", b"999999")],
        [("topic", topic_name(settings, TAGS_FOUND).encode()), ("partition", b"0"), ("omitted", b"77")],
    ]
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        for headers in strange:
            topic = topic_name(settings, dead_letter("manifester"))
            await producer.send_and_wait(topic, b"strange", b"", headers=headers)
    for letter in await letters(api, b"strange", len(strange)):
        refused = await api.post(f"/dead-letters/{letter['name']}/replay")
        assert (refused.status_code, refused.json()["reason"]) == (409, "letter_not_replayable")
        assert (await api.post(f"/dead-letters/{letter['name']}/drop")).status_code == 204


async def test_a_letter_that_is_not_there_is_said_to_be_so(api: httpx.AsyncClient) -> None:
    for name in ("sink-0-999999", "nobody-0-0", "sink-999-0", "sink", "sink-1-"):
        answer = await api.get(f"/dead-letters/{name}")
        assert (answer.status_code, answer.json()["reason"]) == (404, "no_such_letter")
        assert (await api.post(f"/dead-letters/{name}/replay")).status_code == 404


async def test_a_reader_may_look_and_not_touch(console: Console, api: httpx.AsyncClient) -> None:
    value = b"{to be looked at"
    await poisoned(console, value)
    (letter,) = await letters(api, value)
    async with console.client(console.reader) as reader:
        assert (await reader.get(f"/api/v1/dead-letters/{letter['name']}")).status_code == 200
        for what in ("replay", "drop"):
            assert (await reader.post(f"/api/v1/dead-letters/{letter['name']}/{what}")).status_code == 403


async def test_an_event_that_the_trigger_gave_up_is_not_sent_to_everybody_again_but_a_delivery_is(
    console: Console, api: httpx.AsyncClient
) -> None:
    settings = console.system.settings
    places = {"trigger": IMAGE_EVENTS, "deliverer": DELIVERY_REQUESTED}
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        for stage, source in places.items():
            headers = [("topic", topic_name(settings, source).encode()), ("partition", b"0"), ("offset", b"5")]
            name = topic_name(settings, dead_letter(stage))
            await producer.send_and_wait(name, b"of " + stage.encode(), b"key", 0, headers=headers)
    (of_event,) = await letters(api, b"of trigger", stage="trigger")
    refused = await api.post(f"/dead-letters/{of_event['name']}/replay")
    assert refused.status_code == 409
    assert "is public, and everybody would be told again" in refused.json()["detail"]
    (of_delivery,) = await letters(api, b"of deliverer", stage="deliverer")
    assert (await api.post(f"/dead-letters/{of_delivery['name']}/replay")).json() == {"sent": True}
    assert b"of deliverer" in [record.value for record in await records_of(settings, DELIVERY_REQUESTED)]
