"""What tests of the trigger share: image events as a sink tells them, the service at work, and what it sent."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from faust.transport.drivers.aiokafka import Transport

from services.trigger.committed import CommittedTransport
from services.trigger.guard import NAME
from services.trigger.service import run_trigger
from services.trigger.stage import Ports
from shared.connections.secrets import Secrets
from shared.messages.cloud_events import CloudEvent, event_on_kafka, of_registry
from shared.messages.connection_changed import Connection
from shared.messages.image_events import EventPlatform, EventsMode, EventType, ImageEvent, ObservedBy
from shared.messages.model import ScanReason
from shared.messages.topics import IMAGE_EVENTS, SCAN_TRIGGERS, TRIGGER_WANTED, TopicName
from shared.oci.digest import Digest
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import MAX_MESSAGE_BYTES, group_name, topic_name
from shared.settings import Settings
from tests.support.worker import BRISK, records_of

AT = datetime(2026, 5, 1, tzinfo=UTC)
AMD64 = EventPlatform(os="linux", architecture="amd64", variant="", os_version="")
ARM64 = EventPlatform(os="linux", architecture="arm64", variant="v8", os_version="")
SECONDS = 40


def digest(number: int) -> Digest:
    return Digest(f"sha256:{number:064x}")


def image(number: int, registry: str = "registry01", **changes: Any) -> ImageEvent:
    """What an event tells of an image; its digest is made of the number."""
    told: dict[str, Any] = {
        "registry": registry,
        "registry_id": registry,
        "host": f"https://{registry}.example.com",
        "scan_id": 1,
        "reason": ScanReason.MANUAL,
        "observed_by": ObservedBy.SWEEP,
        "repository": "team/app",
        "snapshot": False,
        "digest": digest(number),
        "reference": f"{registry}.example.com/team/app@{digest(number)}",
        "purl": f"pkg:oci/app@sha256%3A{number:064x}",
        "platform": AMD64,
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "size_bytes": None,
        "created": None,
        "first_seen": AT,
        "tags": (f"v{number}",),
    }
    return ImageEvent(**{**told, **changes})


def event(told: ImageEvent, kind: EventType = EventType.IMAGE_DISCOVERED) -> CloudEvent:
    """The event, with an id of its own for each registry, digest, platform and kind."""
    id_ = f"{kind}-{told.registry_id}-{told.digest[-8:]}-{told.platform.architecture}"
    return CloudEvent.of(id_, kind, of_registry(told.registry_id), f"team/app@{told.digest}", AT, told)


@dataclass
class Connections:
    """Connections as a test has them; any other registry was deleted."""

    by_registry: dict[str, Connection] = field(default_factory=dict)

    def add(self, *registries: str, **fields: Any) -> "Connections":
        for registry in registries:
            host = f"https://{registry}.example.com"
            self.by_registry[registry] = Connection(name=registry, registry=registry, host=host, slot=0, **fields)
        return self

    async def latest(self, registry: str) -> Connection | None:
        return self.by_registry.get(registry)


async def tell(settings: Settings, *events: CloudEvent, commit: bool = True, mode: str = "binary") -> None:
    """Put events on their topic in one transaction, spread over its partitions by registry."""
    producer = AIOKafkaProducer(**client_options(settings), transactional_id=f"{settings.topic_prefix}teller")
    async with producer:
        await producer.begin_transaction()
        for told in events:
            headers, value = told.on_kafka(EventsMode(mode))
            partition = sum(told.source.encode()) % settings.partitions
            name = topic_name(settings, IMAGE_EVENTS)
            await producer.send(name, value, b"key", partition, headers=list(headers))
        await producer.flush()
        await (producer.commit_transaction() if commit else producer.abort_transaction())


async def put(settings: Settings, topic: TopicName, value: bytes | None, key: bytes | None = b"key") -> None:
    """Put a record on a topic as anybody could."""
    async with AIOKafkaProducer(**client_options(settings), max_request_size=MAX_MESSAGE_BYTES) as producer:
        await producer.send_and_wait(topic_name(settings, topic), value, key, 0)


@dataclass
class Running:
    """The service at work.  task: ends when it does."""

    settings: Settings
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def until(self, done: Callable[[Sequence[Any]], bool], topic: TopicName = SCAN_TRIGGERS) -> list[Any]:
        """Return a topic's records once they are as wanted."""
        async with asyncio.timeout(SECONDS):
            while True:
                records = await records_of(self.settings, topic)
                if done(records):
                    return records
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.2)

    async def triggers(self, number: int) -> list[dict[str, Any]]:
        """Return the triggers once there are so many."""
        records = await self.until(lambda records: len(records) >= number)
        return [event_on_kafka(record.headers, record.value) for record in records]


@asynccontextmanager
async def trigger(
    settings: Settings,
    connections: Connections,
    *,
    between: Callable[[Ports], Ports] = lambda ports: ports,
    transport: type[Transport] = CommittedTransport,
) -> AsyncIterator[Running]:
    """Run the service until the block ends."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        run_trigger(settings, connections, Secrets.of(settings), stop, between=between, pace=BRISK, transport=transport)
    )
    try:
        yield Running(settings, stop, task)
    finally:
        stop.set()
        await asyncio.wait_for(task, 60)


def digests(triggers: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """How often each digest was triggered."""
    return Counter(told["data"]["digest"] for told in triggers)


async def caught_up(settings: Settings) -> None:
    """Wait until the service has committed all there is on its topics. (Behind the last record lies a marker.)"""
    async with asyncio.timeout(SECONDS):
        while True:
            committed, ends = await _committed(settings), await _ends(settings)
            if all(end == 0 or committed.get(source, 0) >= end - 1 for source, end in ends.items()):
                return
            await asyncio.sleep(0.2)


async def _committed(settings: Settings) -> dict[TopicPartition, int]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group_name(settings, NAME))
        return {source: kept.offset for source, kept in offsets.items()}
    finally:
        await admin.close()


async def _ends(settings: Settings) -> dict[TopicPartition, int]:
    sources = [
        TopicPartition(topic_name(settings, topic), number)
        for topic in (IMAGE_EVENTS, TRIGGER_WANTED)
        for number in range(settings.partitions)
    ]
    async with AIOKafkaConsumer(**client_options(settings)) as consumer:
        return dict(await consumer.end_offsets(sources))
