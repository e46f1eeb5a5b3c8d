"""What goes wrong is tried again or dead-lettered, and never acknowledged away."""

from dataclasses import replace

import pytest

from services.trigger.stage import Ports
from shared.errors import TransientError
from shared.messages.cloud_events import CloudEvent, Headers
from shared.messages.connection_changed import Connection
from shared.messages.topics import IMAGE_EVENTS, SCAN_TRIGGERS, TRIGGER_WANTED, TopicName, dead_letter
from shared.pipeline.stage import StageStopped
from shared.pipeline.topics import MAX_MESSAGE_BYTES, topic_name
from shared.settings import Settings
from tests.integration.trigger.working import (
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
SECRET = "hunter2"
LETTERS = dead_letter("trigger")


async def work_all(settings: Settings, between: "Refusing", *events: CloudEvent) -> None:
    async with trigger(settings, Connections().add(REGISTRY), between=between) as running:
        await tell(settings, *events)
        await running.task


def refusing(*numbers: int, times: int = 10**6) -> "Refusing":
    return Refusing({digest(number).encode() for number in numbers}, times)


class Refusing:
    """Sends nothing for some digests, as if our code were wrong, so many times."""

    def __init__(self, keys: set[bytes], times: int) -> None:
        self.keys, self.left = keys, times

    def __call__(self, ports: Ports) -> Ports:
        async def send(topic: TopicName, key: bytes, value: bytes, headers: Headers) -> None:
            if topic is SCAN_TRIGGERS and key in self.keys and self.left:
                self.left -= 1
                raise KeyError(SECRET)
            await ports.send(topic, key, value, headers)

        return Ports(send, ports.triggered)


async def test_bytes_that_are_no_event_are_dead_lettered_as_they_came_and_block_nothing(
    trigger_settings: Settings,
) -> None:
    torn = event(image(1))
    async with trigger(trigger_settings, Connections().add(REGISTRY)) as running:
        for value in (b"\xff not JSON", None):
            await put(trigger_settings, IMAGE_EVENTS, value, b"\x00key")
        await put(trigger_settings, TRIGGER_WANTED, b'{"version": 1}')
        await tell(trigger_settings, replace(torn, data=b'{"digest": "sha256:no"}'))
        await tell(trigger_settings, event(image(2)))
        letters = await running.until(lambda records: len(records) >= 4, LETTERS)
        assert digests(await running.triggers(1)) == {digest(2): 1}
        await caught_up(trigger_settings)
    by_value = {letter.value: dict(letter.headers) for letter in letters}
    assert by_value.keys() == {b"\xff not JSON", None, b'{"version": 1}', b'{"digest": "sha256:no"}'}
    first = by_value[b"\xff not JSON"]
    assert {name: first[name] for name in ("stage", "reason", "topic", "partition", "offset")} == {
        "stage": b"trigger",
        "reason": b"event_unreadable",
        "topic": topic_name(trigger_settings, IMAGE_EVENTS).encode(),
        "partition": b"0",
        "offset": b"0",
    }
    assert int(first["first_seen"]) > 1_700_000_000_000
    assert by_value[b'{"version": 1}']["reason"] == b"message_unreadable"
    assert by_value[b'{"digest": "sha256:no"}']["ce_type"] == b"dev.tallyman.image.discovered"


async def test_a_record_too_large_for_a_letter_is_told_by_its_size(trigger_settings: Settings) -> None:
    huge = b"x" * (MAX_MESSAGE_BYTES - 200)
    async with trigger(trigger_settings, Connections().add(REGISTRY)) as running:
        await put(trigger_settings, IMAGE_EVENTS, huge)
        (letter,) = await running.until(len, LETTERS)
    assert (letter.value, dict(letter.headers)["omitted"]) == (None, str(len(huge) + len(b"key")).encode())


async def test_what_may_work_later_is_tried_until_it_does(trigger_settings: Settings) -> None:
    class Away(Connections):
        left = 3

        async def latest(self, registry: str) -> Connection | None:
            if self.left:
                self.left -= 1
                raise TransientError("Kafka is away.", reason="away")
            return await super().latest(registry)

    async with trigger(trigger_settings, Away().add(REGISTRY)) as running:
        await tell(trigger_settings, event(image(1)), event(image(2)))
        assert digests(await running.triggers(2)) == {digest(1): 1, digest(2): 1}


async def test_an_error_nobody_foresaw_passes_or_is_dead_lettered_once_another_message_shows_that_the_code_works(
    trigger_settings: Settings,
) -> None:
    passes = refusing(1, times=trigger_settings.attempts - 1)
    async with trigger(trigger_settings, Connections().add(REGISTRY), between=passes) as running:
        await tell(trigger_settings, event(image(1)))
        assert digests(await running.triggers(1)) == {digest(1): 1}
    async with trigger(trigger_settings, Connections().add(REGISTRY), between=refusing(2)) as running:
        await tell(trigger_settings, event(image(2)))
        await tell(trigger_settings, event(image(3)))
        await running.triggers(2)  # what lies on another partition may have come before it: only the next comes after
        await tell(trigger_settings, event(image(4)))
        (letter,) = await running.until(len, LETTERS)
        assert digests(await running.triggers(3)) == {digest(1): 1, digest(3): 1, digest(4): 1}
        await caught_up(trigger_settings)
    headers = dict(letter.headers)
    assert (headers["reason"], headers["error"]) == (b"unexpected_error", b"KeyError")
    assert SECRET.encode() not in b"".join(headers.values())


async def test_a_run_of_unexpected_errors_stops_the_service_and_none_of_them_is_lost(
    trigger_settings: Settings,
) -> None:
    numbers = range(1, trigger_settings.errors_in_a_row + 1)
    everything = refusing(*numbers)
    with pytest.raises(StageStopped, match="trigger met 5 unexpected errors in a row, the last a KeyError"):
        await work_all(trigger_settings, everything, *(event(image(number)) for number in numbers))
    async with trigger(trigger_settings, Connections().add(REGISTRY)) as running:
        assert digests(await running.triggers(len(numbers))) == {digest(number): 1 for number in numbers}
        assert await running.until(lambda records: True, LETTERS) == []
