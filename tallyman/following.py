"""One scan, followed from its request to its end."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.connections.writer import Saved
from shared.errors import PermanentError, TransientError
from shared.messages.codec import decode, encode
from shared.messages.scan_progressed import (
    CatalogClosed,
    CatalogPage,
    Counts,
    ScanEnded,
    ScanProgressed,
    ScanStarted,
    ScanTimedOut,
    UnitOutcome,
    UnitReported,
)
from shared.messages.scan_requested import ScanRequested
from shared.messages.topics import SCAN_PROGRESSED, SCAN_REQUESTED
from shared.messages.tracing import trace_headers
from shared.pipeline.kafka import client_options
from shared.pipeline.partitioning import key_of, partition_of
from shared.pipeline.topics import MAX_MESSAGE_BYTES, topic_name
from shared.settings import Settings

_GOOD = (UnitOutcome.STORED, UnitOutcome.SKIPPED)


@dataclass
class ScanSeen:
    """A scan as its messages told it so far.

    expected: named by the catalog.  absent, held: known before and not named; held ones stay as they were.
    stalled_seconds: how long nothing was heard, where that ended it.  status: None while it runs.
    """

    registry: str
    scan: int
    started: bool = False
    catalog_read: bool = False
    expected: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    units: dict[str, UnitReported] = field(default_factory=dict)
    catalog_requests: dict[int, int] = field(default_factory=dict)
    catalog_failures: list[str] = field(default_factory=list)
    stalled_seconds: float | None = None
    status: str | None = None

    def hear(self, message: ScanProgressed) -> None:
        """Take one message of the scan."""
        match message.progress:
            case ScanStarted():
                self.started = True
            case CatalogPage() as page:
                self.expected.update(page.names)
                self.catalog_requests.setdefault(page.page, page.requests)
                self.catalog_failures += [f"{failure.what}: {failure.detail}" for failure in page.failures]
                self.catalog_read = self.catalog_read or page.last
            case CatalogClosed(absent=absent, held=held):
                self.absent.update(absent)
                self.held.update(held)
            case UnitReported() as unit:
                known = self.units.get(unit.repository)
                if known is None or (known.outcome not in _GOOD and unit.outcome in _GOOD):
                    self.units[unit.repository] = unit
            case ScanTimedOut(stalled_seconds=seconds):
                self.stalled_seconds = seconds
            case ScanEnded(status=status):
                self.status = status

    def missing(self) -> list[str]:
        """Return the repositories that nothing was heard of, where that ended the scan."""
        return sorted((self.expected | self.absent) - self.units.keys()) if self.stalled_seconds is not None else []

    def counts(self) -> Counts:
        """Return the sums over what was heard; `failed` is every thing that was not read, as `scan_failures` has it."""
        units = [unit.counts for unit in self.units.values()]
        sums = {name: sum(getattr(unit, name) for unit in units) for name in Counts.model_fields}
        sums["requests"] += sum(self.catalog_requests.values())
        sums["failed"] += len(self.catalog_failures) + len(self.held) + len(self.missing())
        return Counts(**sums)

    def failures(self) -> Iterator[str]:
        """Yield a sentence for each thing that was not read; for many of one kind one."""
        yield from self.catalog_failures
        if self.held:
            yield (
                f"catalog: {len(self.held)} known repositories are not in it any more, too many to believe it; they "
                "are kept as they were. Confirm it if they are gone: tallyman scan confirm."
            )
        for unit in (unit for unit in self.units.values() if unit.outcome not in _GOOD):
            for failure in unit.failures:
                yield f"{_place(unit.repository, failure.what)}: {failure.detail or failure.reason}"
        if missing := self.missing():
            yield (
                f"Nothing was heard of {len(missing)} repositories for {self.stalled_seconds:.0f} s, {missing[0]} "
                "among them: see that the services run, then load again."
            )


class KafkaUnreachable(TransientError):  # says what has happened
    """Kafka does not answer a command."""


def unreachable(settings: Settings, error: KafkaError) -> KafkaUnreachable:
    """Return our error for what the client raised."""
    return KafkaUnreachable(
        f"Kafka at {settings.kafka} does not answer as it should ({type(error).__name__}): check that it runs, that "
        "the services have made their topics there, and TALLYMAN_KAFKA with what is set beside it.",
        reason="kafka_unreachable",
    )


def _place(repository: str, what: str) -> str:
    return repository if what == repository else f"{repository}:{what}"


@asynccontextmanager
async def requested_scan(
    settings: Settings, saved: Saved, *, confirmed: bool = False
) -> AsyncIterator[tuple[ScanSeen, AsyncIterator[ScanProgressed]]]:
    """Ask for a full scan; yield what is seen of it and its messages, which update what is seen as they come."""
    connection = saved.connection
    request = ScanRequested(
        registry=connection.registry,
        request=uuid4().hex,
        requested_at=datetime.now(UTC),
        connection=saved.offset,
        slot=connection.slot,
        shards=connection.shards,
        partitions=settings.partitions,
        confirmed=confirmed,
    )
    consumer = AIOKafkaConsumer(
        **client_options(settings), isolation_level="read_committed", max_partition_fetch_bytes=MAX_MESSAGE_BYTES
    )
    try:
        await consumer.start()
        source = TopicPartition(topic_name(settings, SCAN_PROGRESSED), connection.slot % settings.partitions)
        consumer.assign([source])
        await consumer.seek_to_end(source)
        await consumer.position(source)  # so that the end is that of before the request
        offset = await _send(settings, request)
        seen = ScanSeen(connection.registry, connection.scan_base + offset)
        yield seen, _messages(consumer, seen)
    except KafkaError as error:
        raise unreachable(settings, error) from error
    finally:
        await consumer.stop()


async def _send(settings: Settings, request: ScanRequested) -> int:
    producer = AIOKafkaProducer(**client_options(settings), enable_idempotence=True)
    await producer.start()
    try:
        told = await producer.send_and_wait(
            topic_name(settings, SCAN_REQUESTED),
            encode(request),
            key_of(request),
            partition_of(request),
            headers=trace_headers(request),
        )
        return int(told.offset)
    finally:
        await producer.stop()


async def _messages(consumer: AIOKafkaConsumer, seen: ScanSeen) -> AsyncIterator[ScanProgressed]:
    async for record in consumer:
        try:
            message = decode(ScanProgressed, record.value, record.offset)
        except PermanentError:
            continue  # the sink dead-letters it; here it only is not shown
        if (message.context.registry, message.context.scan) == (seen.registry, seen.scan):
            seen.hear(message)
            yield message
            if seen.status is not None:
                return
