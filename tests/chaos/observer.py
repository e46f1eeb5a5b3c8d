"""Reads what an installation told and left: events, states, messages, dead letters, committed offsets."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.errors import TransientError
from shared.messages.cloud_events import event_on_kafka
from shared.messages.topics import (
    CHAIN,
    IMAGE_EVENTS,
    SCAN_TRIGGERS,
    TRIGGER_WANTED,
    WITH_DEAD_LETTERS,
    TopicName,
    dead_letter,
)
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import group_name, topic_name
from shared.settings import Settings
from shared.store import Store
from tests.support.worker import records_of

T = TypeVar("T")
Line = dict[str, Any]

_PATIENCE_SECONDS = 120


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Return the answer to what may fail while something is being killed."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            try:
                return await ask()
            except (TransientError, KafkaError):
                await asyncio.sleep(0.2)


async def events(settings: Settings) -> list[Line]:
    """Return the events in the order of their partitions."""
    told = []
    for record in await patiently(lambda: records_of(settings, IMAGE_EVENTS)):
        event: Any = event_on_kafka(record.headers, record.value)
        told.append(
            {
                "partition": record.partition,
                "offset": record.offset,
                "id": event["id"],
                "type": event["type"],
                "subject": event["subject"],
                "from": event["data"].get("from"),
                "to": event["data"].get("to"),
                "scan": event["data"].get("scan_id"),
            }
        )
    return told


async def state(settings: Settings, topic: TopicName) -> Line:
    """Return what a state topic says is present, compacted as Kafka does it."""
    present: dict[bytes, bytes] = {}
    for record in await patiently(lambda: records_of(settings, topic)):
        if record.value is None:
            present.pop(record.key, None)
        else:
            present[record.key] = record.value
    rows = [json.loads(value) for value in present.values()]
    names = ("repository", "tag", "digest") if topic.name == "tag.state" else ("repository", "digest")
    return {"topic": topic.name, "present": sorted([row[name] for name in names] for row in rows)}


async def redelivered(settings: Settings) -> tuple[dict[str, int], dict[str, int], int]:
    """Return, by topic of the chain, the messages and those of them that repeat another; and what the sink absorbed.

    Two messages repeat each other that are about the same page of the same unit: whoever worked the one before them
    worked it twice.
    """
    counts: dict[str, int] = {}
    repeated: dict[str, int] = {}
    for topic in CHAIN:
        found = await patiently(lambda topic=topic: records_of(settings, topic))  # type: ignore[misc]
        about = Counter(_about(json.loads(record.value)) for record in found)
        counts[topic.name] = len(found)
        repeated[topic.name] = sum(times - 1 for times in about.values())
    return counts, repeated, repeated["images.observed"] + repeated["scan.progressed"]


def _about(message: Line) -> str:
    context = message.get("context") or {"registry": message.get("registry"), "request": message.get("request")}
    reading, progress = message.get("reading") or {}, message.get("progress") or {}
    parts = (context.get("scan"), context.get("request"), message.get("repository"), reading.get("page"))
    steps = (progress.get("about"), progress.get("repository"), progress.get("page"), message.get("absent"))
    continues = message.get("continues")
    return json.dumps([*parts, *steps, continues["page"] if continues else None])


async def letters(settings: Settings) -> list[Line]:
    """Return the dead letters, each with its reason."""
    found = []
    for stage in WITH_DEAD_LETTERS:
        for record in await patiently(lambda stage=stage: records_of(settings, dead_letter(stage))):  # type: ignore[misc]
            told = {name: value.decode() for name, value in record.headers}
            found.append({"stage": stage, "reason": told.get("reason", ""), "error": told.get("error", "")})
    return found


async def triggers(settings: Settings) -> list[Line]:
    """Return the scan triggers."""
    told = []
    for record in await patiently(lambda: records_of(settings, SCAN_TRIGGERS)):
        event: Any = event_on_kafka(record.headers, record.value)
        platform = "/".join(event["data"]["platform"].values())
        told.append({"id": event["id"], "digest": event["data"]["digest"], "platform": platform})
    return told


async def offsets_left(settings: Settings) -> list[Line]:
    """Return, by stage and partition, how many committed messages lie before no committed offset of the stage."""
    consumed = {
        "lister": CHAIN[0],
        "tagger": CHAIN[1],
        "manifester": CHAIN[2],
        "sink": CHAIN[3],
    }
    pairs = [*consumed.items(), ("sink", CHAIN[4]), ("trigger", IMAGE_EVENTS), ("trigger", TRIGGER_WANTED)]
    lines: list[Line] = []
    for stage, topic in pairs:
        last: dict[int, int] = {}
        for record in await patiently(lambda topic=topic: records_of(settings, topic)):  # type: ignore[misc]
            last[record.partition] = max(record.offset, last.get(record.partition, -1))
        committed = await patiently(lambda stage=stage, topic=topic: _committed(settings, stage, topic))  # type: ignore[misc]
        lines += [
            {
                "stage": stage,
                "topic": topic.name,
                "partition": partition,
                "last": offset,
                "committed": committed.get(partition),
                "left": max(0, offset + 1 - (committed.get(partition) or 0)),
            }
            for partition, offset in sorted(last.items())
        ]
    return lines


async def _committed(settings: Settings, stage: str, topic: TopicName) -> dict[int, int | None]:
    group = group_name(settings, stage)
    async with AIOKafkaConsumer(**client_options(settings), group_id=group, enable_auto_commit=False) as consumer:
        sources = [TopicPartition(topic_name(settings, topic), number) for number in range(settings.partitions)]
        consumer.assign(sources)
        return {source.partition: await consumer.committed(source) for source in sources}


async def inventory(store: Store, registry: str) -> tuple[list[list[str]], list[list[str]]]:
    """Return the tags, with their digests, and the images that the views show."""
    name = {"name": registry}
    tags = await patiently(
        lambda: store.query("SELECT repository, tag, digest FROM current_tags WHERE registry = {name:String}", name)
    )
    images = await patiently(
        lambda: store.query("SELECT repository, digest FROM current_images WHERE registry = {name:String}", name)
    )
    return _sorted(tags), _sorted(images)


def _sorted(rows: Iterable[Line]) -> list[list[str]]:
    return sorted([*row.values()] for row in rows)
