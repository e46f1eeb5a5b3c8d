"""What lies in a topic, and how to put there what our own writer would not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.connections.topic import ConnectionsTopic


async def bytes_in(topic: ConnectionsTopic) -> bytes:
    """Every key and value, of transactions that were aborted, too."""
    partition = TopicPartition(topic.name, 0)
    consumer = AIOKafkaConsumer(**topic.options, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        found = b""
        while await consumer.position(partition) < end:
            for record in (await consumer.getmany(partition, timeout_ms=50)).get(partition, []):
                found += (record.key or b"") + b"\n" + (record.value or b"") + b"\n"
        return found
    finally:
        await consumer.stop()


async def put(topic: ConnectionsTopic, key: bytes, value: bytes | None) -> int:
    """Append a record outside any transaction; return its offset."""
    producer = AIOKafkaProducer(**topic.options)
    await producer.start()
    try:
        return int((await producer.send_and_wait(topic.name, value, key, partition=0)).offset)
    finally:
        await producer.stop()


@asynccontextmanager
async def open_transaction(topic: ConnectionsTopic, transactional_id: str) -> AsyncIterator[Any]:
    """A producer within a transaction; who asks for it ends it."""
    producer = AIOKafkaProducer(**topic.options, transactional_id=transactional_id)
    await producer.start()
    try:
        await producer.begin_transaction()
        yield producer
    finally:
        await producer.stop()
