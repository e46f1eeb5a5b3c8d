"""The one worker loop: consume, work per key side by side, and commit what is done without a gap.

Nothing is lost: an offset is committed only when everything that its message and those before it gave is
acknowledged. Messages may come twice: after a crash, or when work outlives the drain deadline.
"""

import asyncio
import random
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared.messages.model import Message
from shared.observability.logs import log_of
from shared.pipeline.closing import close_client, start_client
from shared.pipeline.kafka import client_options
from shared.pipeline.lag import Lag
from shared.pipeline.outputs import BrokerRefused, Outputs
from shared.pipeline.polling import FETCH_BYTES, polled
from shared.pipeline.stage import PACE, Pace, Stage, StageStats
from shared.pipeline.stage_numbers import STAGE_NUMBERS
from shared.pipeline.topics import group_name, topic_name
from shared.pipeline.work import Holding
from shared.pipeline.workbench import Workbench
from shared.settings import Settings

M = TypeVar("M", bound=Message)

_COMMIT_SECONDS: Final = 5.0
_MARGIN_SECONDS: Final = 10.0
"""What a rebalance gets beyond the drain: for cancelled work, the last commit, and joining again."""

_SPAN: Final = 10
"""A partition is paused too when this many times its buffer would come again after a crash: one slow message must
not make us remember every later one."""


async def run_stage(
    stage: Stage[M],
    settings: Settings,
    stop: asyncio.Event,
    *,
    stats: StageStats | None = None,
    pace: Pace = PACE,
) -> None:
    """Work the stage's messages until `stop`; then drain, commit and leave the group.

    Raises StageStopped or BrokerRefused: the process has to end, and what is not committed comes again.
    """
    outputs, stats = Outputs(stage.name, settings), stats or StageStats()
    STAGE_NUMBERS.watch(stage.name, stats)
    try:
        await outputs.start()
        await _Worker(stage, outputs, settings, stats, pace).run(stop)
    except KafkaError as error:
        raise BrokerRefused(
            f"Kafka does not let {stage.name} read {topic_name(settings, stage.source)}", error
        ) from error
    finally:
        await outputs.stop()


class _Worker(ConsumerRebalanceListener, Generic[M]):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, stage: Stage[M], outputs: Outputs, settings: Settings, stats: StageStats, pace: Pace) -> None:
        self._stage = stage
        self._buffer = settings.buffer_messages
        self._drain_seconds = settings.drain_seconds
        self._stats = stats
        self._poll_ms = int(pace.poll * 1000)
        self._commit_seconds = pace.commit
        self._topic = topic_name(settings, stage.source)
        self._log = log_of(stage.name)
        self._holdings: dict[TopicPartition, Holding] = {}
        self._releasing = asyncio.Lock()
        self._committing = asyncio.Lock()
        self._consumer = AIOKafkaConsumer(**consumer_options(stage.name, settings, pace))
        self._lag = Lag(stage.name, self._consumer, self._undone)
        self._bench = Workbench(stage, outputs, settings, stats=stats, first_backoff=pace.backoff, chance=random.random)

    async def run(self, stop: asyncio.Event) -> None:
        polling = asyncio.create_task(self._poll())
        committing = asyncio.create_task(self._keep_committing())
        stopping = asyncio.create_task(stop.wait())
        failed = self._bench.failed
        parts: list[asyncio.Future[Any]] = [polling, committing, stopping, failed]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            _raise_from(polling, committing, failed)
            self._log.info("stage stopping", messages=sum(len(held.at_work) for held in self._holdings.values()))
            await _end(polling, committing)
            await self._release(list(self._holdings))
            _raise_from(failed)
        finally:
            await _end(polling, committing, stopping)
            await self._bench.cancel(self._holdings.values())
            await close_client(self._stage.name, self._consumer)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Drain and commit the partitions before somebody else gets them. Heartbeats go on meanwhile."""
        self._stats.partitions.difference_update(source.partition for source in revoked)
        self._lag.forget(revoked)
        try:
            await self._release(list(revoked))
        except Exception as error:  # noqa: BLE001  # aiokafka would only log it, and two processes work one key
            self._bench.fail(error)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._stats.partitions.update(source.partition for source in assigned)
        self._log.info("partitions assigned", partitions=len(assigned))

    async def _poll(self) -> None:
        self._consumer.subscribe([self._topic], listener=self)
        await start_client(self._consumer)
        while True:
            partitions, most = self._room()
            # Nothing may be awaited between getting records and taking them in: a rebalance could come between.
            fetched = await self._consumer.getmany(*partitions, timeout_ms=self._poll_ms, max_records=most)
            for partition, records in fetched.items():
                holding = self._holdings.setdefault(partition, Holding(partition))
                for record in records:
                    self._bench.receive(record, holding)
            self._bench.start()

    def _room(self) -> tuple[Sequence[TopicPartition], int]:
        """Return the partitions that can take more, and how many messages each of them can take.

        The others pause.
        """
        rooms = {partition: self._room_of(partition) for partition in self._consumer.assignment()}
        partitions = [partition for partition, room in rooms.items() if room > 0]
        return polled(self._topic, partitions), min((rooms[partition] for partition in partitions), default=1)

    def _room_of(self, partition: TopicPartition) -> int:
        holding = self._holdings.get(partition)
        if holding is None:
            return self._buffer
        return min(self._buffer - holding.tracker.undone, self._buffer * _SPAN - holding.tracker.span)

    def _undone(self, partition: TopicPartition) -> int:
        holding = self._holdings.get(partition)
        return holding.tracker.undone if holding else 0

    async def _keep_committing(self) -> None:
        while True:
            await asyncio.sleep(self._commit_seconds)
            await self._commit()
            await self._lag.tell()

    async def _commit(self) -> None:
        # One at a time: an earlier commit that is tried again must not overtake a later one.
        async with self._committing:
            assigned = self._consumer.assignment()
            ahead = {
                holding: holding.tracker.committable
                for partition, holding in self._holdings.items()
                if holding.tracker.committable != holding.committed and partition in assigned
            }
            if not ahead:
                return
            try:
                async with asyncio.timeout(_COMMIT_SECONDS):
                    await self._consumer.commit({holding.partition: offset for holding, offset in ahead.items()})
            except (CommitFailedError, IllegalStateError, TimeoutError) as error:
                # The group has moved on, or the broker is away: what was done comes again, to us or to another.
                self._log.warning("offsets not committed", partitions=len(ahead), error=type(error).__name__)
                return
            for holding, offset in ahead.items():
                holding.committed = offset

    async def _release(self, partitions: Iterable[TopicPartition]) -> None:
        async with self._releasing:
            held = [self._holdings[partition] for partition in partitions if partition in self._holdings]
            if not held:
                return
            await self._bench.drain(held, self._drain_seconds)
            await self._commit()
            for holding in held:
                del self._holdings[holding.partition]


def consumer_options(group: str, settings: Settings, pace: Pace) -> dict[str, Any]:
    """Return the arguments of the consumer of a stage."""
    rebalance_ms = int((settings.drain_seconds + _MARGIN_SECONDS) * 1000)
    return {
        **client_options(settings),
        "group_id": group_name(settings, group),
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "max_partition_fetch_bytes": FETCH_BYTES,
        "session_timeout_ms": int(pace.session * 1000),
        "heartbeat_interval_ms": int(pace.session * 1000 / 4),
        "max_poll_interval_ms": int(pace.max_poll * 1000),
        "rebalance_timeout_ms": rebalance_ms,
        # Joining takes as long as the slowest member drains; a request given up before that would start all over.
        "request_timeout_ms": max(40_000, 2 * rebalance_ms),
    }


def _raise_from(*parts: asyncio.Future[Any]) -> None:
    for part in parts:
        if part.done():
            part.result()


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
