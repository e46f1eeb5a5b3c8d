"""One input partition: its records, batch after batch, each published with its offset in one transaction."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, Generic, TypeVar

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from services.sink.buffer import Buffer, Flow
from services.sink.ports import Clocks, Outgoing, Received, Work
from services.sink.publisher import NewProducer, Publisher
from services.sink.sending import outgoing
from services.units import unit_failed
from shared.errors import PermanentError, TallymanError, TransientError
from shared.messages.codec import decode
from shared.messages.model import Failure, Message
from shared.messages.topics import Topic, dead_letter
from shared.observability.logs import log_of
from shared.observability.metrics import BATCH_MESSAGES, BATCH_SECONDS, DEAD_LETTERS
from shared.observability.tracing import Failed, spanned
from shared.pipeline.dead_letters import dead_letter_headers
from shared.pipeline.salvage import salvage
from shared.pipeline.stage import StageStopped
from shared.pipeline.suspects import Suspects
from shared.settings import Settings

STAGE: Final = "sink"
_LOG: Final = log_of(STAGE)
_TICK_SECONDS: Final = 1.0
_MAX_BACKOFF_SECONDS: Final = 30.0
_ROW_BYTES: Final = 256
"""What a tag or a manifest takes in a message, about."""

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Held:
    """A consumed record. It is kept as bytes until its batch is worked: decoded it is five times as large."""

    raw: ConsumerRecord = field(repr=False)

    @property
    def offset(self) -> int:
        return int(self.raw.offset)

    @property
    def weight(self) -> int:
        return weight_of(self.raw.value)


def weight_of(value: bytes | None) -> int:
    """Return how many rows a message makes, about."""
    return 1 + len(value or b"") // _ROW_BYTES


class Partition(Generic[M]):
    """Works one partition while it is ours.

    The producer is made with the first record: before that there is nothing a former owner could do wrong. Its
    start fences that owner; the committed offset is read after it, and what lies below is passed over.
    """

    def __init__(
        self,
        source: TopicPartition,
        topic: Topic[M],
        work: Work[M],
        committed: Callable[[TopicPartition], Awaitable[int | None]],
        settings: Settings,
        clocks: Clocks,
        flow: Flow,
        new_producer: NewProducer = AIOKafkaProducer,
    ) -> None:
        self._source: Final = source
        self._topic: Final = topic
        self._work: Final = work
        self._committed: Final = committed
        self._settings: Final = settings
        self._clocks: Final = clocks
        self._new_producer: Final = new_producer
        self._suspects: Final[Suspects[Held]] = Suspects(settings.errors_in_a_row)
        self._singly_until = -1
        self._arrived = asyncio.Event()
        self._stopping = False
        self.buffer: Final[Buffer[Held]] = Buffer(settings.sink_rows, settings.sink_delay_seconds, flow)

    def offer(self, records: Iterable[ConsumerRecord]) -> None:
        """Take what was fetched."""
        self.buffer.offer(map(Held, records), self._clocks.monotonic())
        self._arrived.set()

    def stop(self) -> None:
        """End `run` after the batch at hand."""
        self._stopping = True
        self._arrived.set()

    async def run(self) -> None:
        """Work until stopped. Raises StageStopped when the fault must be ours, ProducerFenced when it is not ours."""
        failures = 0
        while not self._stopping:
            try:
                first = await self._first_cause()
                if self._stopping:
                    return
                async with Publisher(self._settings, STAGE, self._source, self._new_producer) as publisher:
                    self.buffer.drop_before(await self._committed(self._source) or 0)
                    if first:
                        await publisher.publish(first, None)
                    while not self._stopping:
                        await self._step(publisher)
                        failures = 0
            except ProducerFenced:
                raise
            except (KafkaError, TransientError) as error:
                failures += 1
                await self._back_off(error, failures)

    async def _first_cause(self) -> list[Outgoing]:
        """Wait for the first record, or for something that is to be sent without one."""
        while self.buffer.is_empty and not self._stopping:
            if sent := await self._work.idle():
                return sent
            await self._wait(_TICK_SECONDS)
        return []

    async def _back_off(self, error: Exception, failures: int) -> None:
        self._work.reset()
        seconds = min(_MAX_BACKOFF_SECONDS, 0.5 * 2 ** min(failures, 10)) * random.uniform(0.5, 1)  # noqa: S311 - jitter
        _LOG.warning(
            "batch postponed",
            topic=self._source.topic,
            partition=self._source.partition,
            why=error if isinstance(error, TallymanError) else type(error).__name__,
            seconds=round(seconds, 1),
        )
        await asyncio.sleep(seconds)

    async def _step(self, publisher: Publisher) -> None:
        """Work the batch that is due, or wait for one."""
        batch = self.buffer.batch(self._clocks.monotonic())
        if not batch:
            if sent := await self._work.idle():
                await publisher.publish(sent, None)
            wait = self.buffer.seconds_to_wait(self._clocks.monotonic())
            await self._wait(_TICK_SECONDS if self.buffer.is_empty else wait)
            return
        if batch[0].offset <= self._singly_until:
            batch = batch[:1]
        await self._publish(publisher, batch)

    async def _publish(self, publisher: Publisher, batch: Sequence[Held]) -> None:
        carried = [item.raw.headers for item in batch]
        with spanned(f"{STAGE} {self._topic.name}", carried, {"messaging.system": "kafka"}) as failed:
            await self._publish_in_spans(publisher, batch, failed)

    async def _publish_in_spans(self, publisher: Publisher, batch: Sequence[Held], failed: Failed) -> None:
        begun, topic = self._clocks.monotonic(), self._topic.name
        good, bad = self._decoded(batch)
        convicts = list(self._suspects.held) if good else []
        letters = chain.from_iterable(self._given_up(item, why) for item, why in (*bad, *convicts))
        try:
            await publisher.publish(chain(await self._work.work(good), letters), batch[-1].offset + 1)
        except (TransientError, KafkaError):
            raise
        except Exception as error:  # noqa: BLE001 - the sink's worker loop: anything else is our bug, see shared.errors
            failed(error)
            self._work.reset()
            self._suspect(batch, error)
            return
        if good:
            self._suspects.convict()  # only now that they lie among the dead letters
        BATCH_MESSAGES.labels(topic).observe(len(batch))
        now = self._clocks.monotonic()
        BATCH_SECONDS.labels(topic).observe(now - begun)
        if given_up := len(bad) + len(convicts):
            DEAD_LETTERS.labels(STAGE).inc(given_up)
        self.buffer.worked(batch[-1].offset + 1, now - begun, now)

    def _decoded(self, batch: Iterable[Held]) -> tuple[list[Received[M]], list[tuple[Held, Exception]]]:
        """Return the messages, and the records that are none, with the reason."""
        good: list[Received[M]] = []
        bad: list[tuple[Held, Exception]] = []
        for item in batch:
            try:
                message = decode(self._topic.message, item.raw.value, item.offset)
            except PermanentError as error:
                bad.append((item, error))
            else:
                good.append(Received(self._source.partition, item.offset, message))
        return good, bad

    def _suspect(self, batch: Sequence[Held], error: Exception) -> None:
        """Find the message that fails by working the batch singly; set it aside when found."""
        if len(batch) > 1:
            self._singly_until = batch[-1].offset
            return
        _LOG.error("message failed unexpectedly", offset=batch[0].offset, error=type(error).__name__)
        if self._suspects.hold(batch[0], error):
            raise StageStopped(STAGE, self._settings.errors_in_a_row, error) from error
        self.buffer.drop_before(batch[0].offset + 1)

    def _given_up(self, item: Held, error: Exception) -> list[Outgoing]:
        """Return the dead letter of a record, and the report that its unit failed, where it tells which."""
        raw = item.raw
        letter = Outgoing(
            dead_letter(STAGE),
            self._source.partition,
            raw.key or b"",
            raw.value or b"",
            tuple(dead_letter_headers(STAGE, raw, error)),
        )
        told = salvage(raw.value)
        if told is None or told[1] is None:
            return [letter]
        reason = error.reason if isinstance(error, TallymanError) else type(error).__name__
        failure = Failure(what=told[1], reason=reason, detail="The sink could not take it; see the dead letters.")
        return [letter, outgoing(unit_failed(told[0], told[1], failure))]

    async def _wait(self, seconds: float) -> None:
        self._arrived.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        except TimeoutError:
            return
