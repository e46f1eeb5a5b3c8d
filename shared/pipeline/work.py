"""What a stage process holds of its partitions: messages on their way, and how far each partition is done."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord, TopicPartition

from shared.errors import PermanentError
from shared.pipeline.offsets import OffsetTracker


@dataclass(eq=False, slots=True)
class Holding:
    """One assigned partition, from the first message received of it until it is revoked.

    closed: nothing of it is started any more, and what it still holds will be delivered again.
    """

    partition: TopicPartition
    tracker: OffsetTracker = field(default_factory=OffsetTracker)
    at_work: set[asyncio.Task[None]] = field(default_factory=set)
    committed: int | None = None
    closed: bool = False


@dataclass(eq=False, slots=True)
class Work:
    """One message on its way. Kept as bytes until it is worked: a decoded page is many times larger.

    order, registry: as the stage tells them.  scan: whose it is, where it tells.  failures: tries that failed.
    unreadable: why it is no message, if it is none.
    """

    record: ConsumerRecord
    holding: Holding
    order: Hashable
    registry: str
    scan: int | None = None
    failures: int = 0
    unreadable: PermanentError | None = None

    def done(self) -> None:
        """The message is done for good: its offset may be committed once those before it are done."""
        self.holding.tracker.done(self.record.offset)

    def place(self) -> dict[str, str | int]:
        """Return what its span tells. Source: OpenTelemetry, Semantic conventions for Kafka."""
        return {
            "messaging.system": "kafka",
            "messaging.destination.name": self.record.topic,
            "messaging.destination.partition.id": str(self.record.partition),
            "messaging.kafka.offset": self.record.offset,
        }

    def told(self) -> dict[str, object]:
        """Return the fields by which log lines name the message."""
        key = (self.record.key or b"").decode(errors="backslashreplace")
        registry, _, repository = key.partition("/")
        return {
            "registry": registry,
            "repository": repository or None,
            "scan": self.scan,
            "topic": self.record.topic,
            "partition": self.record.partition,
            "offset": self.record.offset,
        }
