"""Which processes run: each reports itself while it does, and whoever asks hears those of the last half minute."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.errors import PermanentError
from shared.messages.codec import decode, encode
from shared.messages.service_reported import ServiceReported
from shared.messages.topics import SERVICE_REPORTED
from shared.observability.logs import log_of
from shared.pipeline.closing import close_client
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import topic_name
from shared.settings import Settings

REPORT_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 30.0
"""A process that was not heard for so long does not run."""

_LOG: Final = log_of("report")


@asynccontextmanager
async def reporting(settings: Settings, service: str, keys: Callable[[], tuple[str, ...]]) -> AsyncIterator[str]:
    """Report while the block runs, and say so when it ends; yield the process's id.

    keys: fingerprints, asked before each report.  A broker that does not take a report is no reason to stop.
    """
    first = ServiceReported(process=uuid4().hex, service=service, keys=keys(), started_at=datetime.now(UTC))
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    topic = topic_name(settings, SERVICE_REPORTED)
    await _send(producer, topic, first)
    beating = asyncio.create_task(_beat(producer, topic, first, keys), name="report")
    try:
        yield first.process
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        await _send(producer, topic, first.model_copy(update={"stopped": True}))
        await close_client(service, producer)


async def running_services(settings: Settings) -> tuple[ServiceReported, ...]:
    """Return the last word of each process that runs. Raises KafkaError where the topic cannot be read."""
    consumer = AIOKafkaConsumer(**client_options(settings), group_id=None, enable_auto_commit=False)
    await consumer.start()
    try:
        source = TopicPartition(topic_name(settings, SERVICE_REPORTED), 0)
        end = (await consumer.end_offsets([source]))[source]  # all before it is assigned: a fetch would hold it up
        since = int((datetime.now(UTC).timestamp() - SILENT_SECONDS) * 1000)
        found = (await consumer.offsets_for_times({source: since}))[source]
        if found is None or found.offset >= end:
            return ()
        consumer.assign([source])
        consumer.seek(source, found.offset)
        return await _last_words(consumer, source, end)
    finally:
        await close_client("report", consumer)


async def _last_words(consumer: Any, source: TopicPartition, end: int) -> tuple[ServiceReported, ...]:
    words: dict[str, ServiceReported] = {}
    while await consumer.position(source) < end:
        for record in (await consumer.getmany(source, timeout_ms=200)).get(source, ()):
            with suppress(PermanentError):  # not one of ours
                report = decode(ServiceReported, record.value, record.offset)
                words[report.process] = report
    return tuple(report for report in words.values() if not report.stopped)


async def _beat(producer: Any, topic: str, first: ServiceReported, keys: Callable[[], tuple[str, ...]]) -> None:
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        await _send(producer, topic, first.model_copy(update={"keys": keys()}))


async def _send(producer: Any, topic: str, report: ServiceReported) -> None:
    try:
        await producer.send_and_wait(topic, encode(report), report.process.encode(), partition=0)
    except KafkaError as error:
        _LOG.warning("report not sent", why=type(error).__name__)
