"""The sink's loop: partitions come and go, each is worked by its own `Partition`; polling never stops."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ProducerFenced

from services.sink.buffer import BATCHES_HELD_IN_ALL, Flow
from services.sink.decide import Fuse
from services.sink.forgetting import Forgetting
from services.sink.listings import Listings
from services.sink.partition import STAGE, Partition
from services.sink.ports import Clocks, Registries, SinkStore
from services.sink.progress import ScanProgress
from services.sink.publisher import NewProducer
from services.sink.queues import StageQueues
from services.sink.sending import Sending
from services.sink.stalls import Stalls
from shared.errors import TallymanError
from shared.messages.topics import IMAGES_OBSERVED, SCAN_PROGRESSED
from shared.observability.logs import log_of
from shared.pipeline.closing import close_client
from shared.pipeline.kafka import client_options
from shared.pipeline.lag import Lag
from shared.pipeline.polling import FETCH_BYTES, polled
from shared.pipeline.topics import group_name, topic_name
from shared.settings import Settings

_LOG: Final = log_of(STAGE)
_POLL_MS: Final = 50
_SESSION_MS: Final = 10_000
_LAG_SECONDS: Final = 1.0
_RECORDS: Final = 50
"""Taken in at once, whatever was fetched: so many may come beyond what is to be held."""


class PartitionTaken(TallymanError):
    """Another sink publishes for a partition that we hold to be ours."""

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(
            f"Another sink has taken over partition {partition} of {topic} while this one was asleep or cut off. "
            "Nothing is lost or told twice; this one stops, and is to be started again.",
            reason="partition_taken",
        )


class Sink(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Consumes `images.observed` and `scan.progressed` in the group `sink`."""

    def __init__(
        self,
        settings: Settings,
        store: SinkStore,
        registries: Registries,
        sending: Sending,
        clocks: Clocks,
        new_producer: NewProducer = AIOKafkaProducer,
    ) -> None:
        self._settings: Final = settings
        self._store: Final = store
        self._registries: Final = registries
        self._clocks: Final = clocks
        self._fuse: Final = Fuse(settings.fuse_share, settings.fuse_minimum)
        self._sending: Final = sending
        self._new_producer: Final = new_producer
        self._consumer: Final = AIOKafkaConsumer(
            **client_options(settings),
            group_id=group_name(settings, STAGE),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_SESSION_MS // 4,
            rebalance_timeout_ms=int(settings.drain_seconds * 1000) + 2 * _SESSION_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        topics = (topic_name(settings, topic) for topic in (IMAGES_OBSERVED, SCAN_PROGRESSED))
        self._flows: Final = {topic: Flow(BATCHES_HELD_IN_ALL * settings.sink_rows) for topic in topics}
        self._partitions: Final[dict[TopicPartition, Partition[Any]]] = {}
        self._lag: Final = Lag(STAGE, self._consumer, self._held)
        self._lag_told_at = 0.0
        self._tasks: Final[dict[TopicPartition, asyncio.Task[None]]] = {}
        self._failed: Final[list[BaseException]] = []

    @property
    def rows_held(self) -> int:
        """The rows, about, that wait in memory for their batch."""
        return sum(partition.buffer.weight for partition in self._partitions.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish the batches at hand. Raises what ends a partition's work."""
        await self._consumer.start()
        try:
            self._consumer.subscribe(list(self._flows), listener=self)
            while not stop.is_set():
                self._raise_failures()
                await self._tell_lag()
                records = await self._consumer.getmany(*self._with_room(), timeout_ms=_POLL_MS, max_records=_RECORDS)
                for source, fetched in records.items():
                    if source in self._partitions:
                        self._partitions[source].offer(fetched)
        finally:
            await self._stop_work(list(self._tasks))
            await close_client("sink", self._consumer)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Finish the batches at hand; what is not published by the deadline comes again, to the new owner."""
        self._lag.forget(revoked)
        await self._stop_work(revoked)
        self._share()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Work these partitions from now on."""
        for source in assigned:
            partition = self._partition(source)
            self._partitions[source] = partition
            self._tasks[source] = asyncio.create_task(partition.run(), name=f"sink {source.topic} {source.partition}")
        self._share()

    def _partition(self, source: TopicPartition) -> Partition[Any]:
        place = (self._consumer.committed, self._settings, self._clocks, self._flows[source.topic], self._new_producer)
        if source.topic == topic_name(self._settings, IMAGES_OBSERVED):
            forgetting = Forgetting(source.partition, self._settings.partitions, self._store)
            listings = Listings(self._store, self._registries, self._fuse, self._sending, self._clocks, forgetting)
            return Partition(source, IMAGES_OBSERVED, listings, *place)
        stalls = Stalls(self._settings.stall_seconds)
        progress = ScanProgress(
            source.partition,
            self._store,
            self._registries,
            self._fuse,
            self._sending,
            stalls,
            StageQueues(self._settings),
            self._clocks,
        )
        return Partition(source, SCAN_PROGRESSED, progress, *place)

    def _held(self, source: TopicPartition) -> int:
        partition = self._partitions.get(source)
        return partition.buffer.count if partition else 0

    async def _tell_lag(self) -> None:
        now = self._clocks.monotonic()
        if now - self._lag_told_at >= _LAG_SECONDS:
            self._lag_told_at = now
            await self._lag.tell()

    def _share(self) -> None:
        """Give each partition its share of what may be held in memory."""
        for topic, flow in self._flows.items():
            flow.partitions = sum(source.topic == topic for source in self._partitions)

    def _with_room(self) -> Sequence[TopicPartition]:
        """Return the partitions to poll: those that can take more; all that come, where none is ours yet."""
        sources = [source for source, partition in self._partitions.items() if partition.buffer.has_room]
        return polled(next(iter(self._flows)), sources) if self._partitions else ()

    def _raise_failures(self) -> None:
        if self._failed:
            raise self._failed[0]
        for source, task in self._tasks.items():
            if task.done() and isinstance(task.exception(), ProducerFenced):
                raise PartitionTaken(source.topic, source.partition) from task.exception()
            if task.done():
                task.result()

    async def _stop_work(self, sources: Collection[TopicPartition]) -> None:
        tasks = [self._tasks.pop(source) for source in sources if source in self._tasks]
        for source in sources:
            if source in self._partitions:
                self._partitions.pop(source).stop()
        if not tasks:
            return
        done, late = await asyncio.wait(tasks, timeout=self._settings.drain_seconds)
        for task in done:
            error = task.exception()
            if error and not isinstance(error, ProducerFenced):  # fenced: it was no longer ours
                self._failed.append(error)
        for task in late:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
