"""What the worker loop costs a message, beside a bare aiokafka loop that decodes and sends the same.

`python -m benchmarks.worker [MESSAGES]`. Both read `repository.found` on a fresh embedded broker and answer each
message with one page. The loop works each message by itself; the bare one awaits a whole fetch at once.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.messages.codec import decode, encode
from shared.messages.model import Message, Reading, ScanContext
from shared.messages.repository_found import RepositoryFound
from shared.messages.tags_found import TagsFound
from shared.messages.topics import REPOSITORY_FOUND, TAGS_FOUND
from shared.pipeline.broker import EmbeddedBroker
from shared.pipeline.kafka import client_options
from shared.pipeline.partitioning import key_of, partition_of
from shared.pipeline.stage import Stage
from shared.pipeline.topics import ensure_topics, topic_name
from shared.pipeline.worker import run_stage
from shared.settings import Settings, load_settings

_MESSAGES: Final = 20_000
_REGISTRIES: Final = 4

Loop = Callable[[Settings, int], Awaitable[None]]
"""Reads so many messages, and answers them."""


async def main(messages: int) -> None:
    """Measure both loops and print CPU seconds for 100,000 messages."""
    with TemporaryDirectory(prefix="tallyman-bench-") as folder:
        broker = EmbeddedBroker(Path(folder))
        settings = load_settings(data=Path(folder)).model_copy(update={"kafka": await broker.start()})
        try:
            await ensure_topics(settings, ["worker"])
            await _fill(settings, messages)
            loops: dict[str, Loop] = {"bare aiokafka loop": _bare_loop, "worker loop": _worker_loop}
            for name, loop in loops.items():
                begun, cpu = time.perf_counter(), time.process_time()
                await loop(settings, messages)
                seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
                print(f"{name}: {cpu * 100_000 / messages:.1f} CPU s, {messages / seconds:.0f} messages/s")
        finally:
            await broker.stop()


async def _fill(settings: Settings, messages: int) -> None:
    producer = AIOKafkaProducer(**client_options(settings))
    topic = topic_name(settings, REPOSITORY_FOUND)
    async with producer:
        for number in range(messages):
            message = _found(settings, number)
            await producer.send(topic, encode(message), key_of(message), partition_of(message))


def _found(settings: Settings, number: int) -> RepositoryFound:
    slot = number % _REGISTRIES
    context = ScanContext(
        registry=f"registry{slot}", scan=1, connection=0, slot=slot, shards=1, partitions=settings.partitions
    )
    return RepositoryFound(context=context, repository=f"team/service-{number}")


def _page(found: RepositoryFound) -> TagsFound:
    reading = Reading(id="reading", leg="leg", page=0, last=True)
    return TagsFound(context=found.context, repository=found.repository, reading=reading)


async def _bare_loop(settings: Settings, messages: int) -> None:
    consumer = AIOKafkaConsumer(
        topic_name(settings, REPOSITORY_FOUND),
        **client_options(settings),
        group_id="bare",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(enable_idempotence=True, **client_options(settings))
    topic = topic_name(settings, TAGS_FOUND)
    async with consumer, producer:
        while messages > 0:
            fetched = await consumer.getmany(timeout_ms=200, max_records=500)
            records = [record for some in fetched.values() for record in some]
            pages = [_page(decode(RepositoryFound, record.value, record.offset)) for record in records]
            coming = [await producer.send(topic, encode(page), key_of(page), partition_of(page)) for page in pages]
            await asyncio.gather(*coming)
            if records:
                await consumer.commit()
            messages -= len(records)


async def _worker_loop(settings: Settings, messages: int) -> None:
    stop, left = asyncio.Event(), count(messages - 1, -1)

    async def answer(found: RepositoryFound) -> AsyncIterator[Message]:
        yield _page(found)
        if next(left) == 0:
            stop.set()  # what is in flight is finished all the same

    stage = Stage(
        "worker",
        REPOSITORY_FOUND,
        answer,
        give_up=lambda found, _: (_page(found),),
        order=lambda found: found.repository,
        registry=lambda found: found.context.registry,
    )
    await run_stage(stage, settings, stop)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else _MESSAGES))
