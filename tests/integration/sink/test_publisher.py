"""The sink's producer on a real broker: a transaction that fails says why, and commits nothing."""

import asyncio
import random
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from services.sink.ports import Outgoing
from services.sink.publisher import Publisher
from shared.messages.topics import IMAGE_EVENTS, IMAGES_OBSERVED, SCAN_PROGRESSED
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import MAX_MESSAGE_BYTES, group_name, topic_name
from shared.settings import Settings
from tests.support.worker import records_of

_EVENT = Outgoing(IMAGE_EVENTS, 0, b"key", b"event")
_REPORT = Outgoing(SCAN_PROGRESSED, 0, b"key", b"report")


@pytest.fixture
def source(settings: Settings) -> TopicPartition:
    return TopicPartition(topic_name(settings, IMAGES_OBSERVED), 0)


async def test_what_is_published_is_there_in_order_and_its_offset_with_it(
    settings: Settings, source: TopicPartition
) -> None:
    async with Publisher(settings, "sink", source) as publisher:
        await publisher.publish([_EVENT, _REPORT, _EVENT], 7)
    assert [record.value for record in await records_of(settings, IMAGE_EVENTS)] == [b"event", b"event"]
    assert [record.value for record in await records_of(settings, SCAN_PROGRESSED)] == [b"report"]
    assert await _committed(settings, source) == 7


async def test_a_publisher_that_is_fenced_before_it_publishes_says_so(
    settings: Settings, source: TopicPartition
) -> None:
    async with Publisher(settings, "sink", source) as former, Publisher(settings, "sink", source):
        with pytest.raises(ProducerFenced):
            await former.publish([_EVENT, _REPORT], 7)
    assert await records_of(settings, IMAGE_EVENTS) == []
    assert await _committed(settings, source) is None


@pytest.mark.parametrize("next_offset", [7, None])
async def test_a_publisher_that_learns_between_two_records_that_it_is_fenced_says_so(
    settings: Settings, source: TopicPartition, next_offset: int | None
) -> None:
    noticing = Publisher(settings, "sink", source, NoticingProducer)
    async with noticing as former, Publisher(settings, "sink", source):
        with pytest.raises(ProducerFenced):
            await former.publish([_EVENT, _REPORT], next_offset)
    assert await records_of(settings, IMAGE_EVENTS) == []
    assert await _committed(settings, source) is None


async def test_a_publisher_that_learns_before_its_offset_that_it_is_fenced_says_so(
    settings: Settings, source: TopicPartition
) -> None:
    noticing = Publisher(settings, "sink", source, NoticingProducer)
    async with noticing as former, Publisher(settings, "sink", source):
        with pytest.raises(ProducerFenced):
            await former.publish([_EVENT], 7)
    assert await _committed(settings, source) is None


async def test_a_record_that_the_broker_refuses_keeps_all_the_others_and_the_offset_from_being_committed(
    settings: Settings, source: TopicPartition
) -> None:
    too_large = Outgoing(IMAGE_EVENTS, 1, b"key", random.randbytes(MAX_MESSAGE_BYTES - 50))  # cannot be packed
    async with Publisher(settings, "sink", source) as publisher:
        with pytest.raises(KafkaError):
            await publisher.publish([_EVENT, too_large, _REPORT], 7)
    assert await records_of(settings, IMAGE_EVENTS) == []
    assert await _committed(settings, source) is None


class NoticingProducer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
    """After each batch, it waits until its own task knows what became of it."""

    async def send_batch(self, *arguments: Any, **options: Any) -> Any:
        sent = await super().send_batch(*arguments, **options)
        await asyncio.wait([sent])
        return sent


async def _committed(settings: Settings, source: TopicPartition) -> int | None:
    async with AIOKafkaConsumer(**client_options(settings), group_id=group_name(settings, "sink")) as consumer:
        consumer.assign([source])
        committed: int | None = await consumer.committed(source)
        return committed
