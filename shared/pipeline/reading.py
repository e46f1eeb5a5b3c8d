"""Reads topics up to where they end now, committed records alone, without a consumer group."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.pipeline.kafka import client_options
from shared.pipeline.topics import MAX_MESSAGE_BYTES
from shared.settings import Settings

_POLL_MS: Final = 200


@asynccontextmanager
async def committed_reader(settings: Settings) -> AsyncIterator[Any]:
    """Yield a started consumer, assigned nothing yet, that reads partitions from their beginning. Raises KafkaError."""
    consumer = AIOKafkaConsumer(
        **client_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def up_to(consumer: Any, ends: Mapping[TopicPartition, int]) -> AsyncIterator[ConsumerRecord]:
    """Yield what lies from the consumer's places to these ends, each partition in its order."""
    while await is_behind(consumer, ends):
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for record in records:
                yield record


async def is_behind(consumer: Any, ends: Mapping[TopicPartition, int]) -> bool:
    """Return whether something lies between the consumer's places and these ends."""
    return any([await consumer.position(source) < end for source, end in ends.items()])
