"""Hears what becomes of the repositories that were sent on: follows `scan.progressed` from its end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.errors import PermanentError
from shared.messages.codec import decode
from shared.messages.scan_progressed import ScanProgressed
from shared.messages.topics import SCAN_PROGRESSED
from shared.observability.logs import log_of
from shared.pipeline.beside import beside
from shared.pipeline.closing import close_client
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import topic_name
from shared.settings import Settings

_LOG: Final = log_of("lister")
_POLL_MS: Final = 500


@asynccontextmanager
async def progress_heard(
    settings: Settings, hear: Callable[[ScanProgressed], None], stop: asyncio.Event
) -> AsyncIterator[None]:
    """Tell `hear` of every committed message that comes while the block runs; none is missed from its start on.

    stop: set where the topic cannot be followed any more, so that the block ends; then the error is raised.
    """
    topic = topic_name(settings, SCAN_PROGRESSED)
    consumer = AIOKafkaConsumer(
        **client_options(settings), group_id=None, enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        await consumer.start()
        consumer.assign([TopicPartition(topic, partition) for partition in range(settings.partitions)])
        await consumer.seek_to_end()
        async with beside(_follow(consumer, hear), stop):
            yield
    finally:
        await close_client("lister", consumer)


async def _follow(consumer: Any, hear: Callable[[ScanProgressed], None]) -> None:
    while True:
        for partition, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
            for record in records:
                try:
                    hear(decode(ScanProgressed, record.value, record.offset))
                except PermanentError as error:  # the sink dead-letters it
                    _LOG.warning("progress not understood", partition=partition.partition, why=error)
