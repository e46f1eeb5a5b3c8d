"""The transactional producer of one input partition.

Its transactional id names the partition, so that a new owner's start fences whoever owned it before: aiokafka
sends no group generation with a transaction's offsets, and nothing else keeps a zombie out.
"""

import asyncio
from asyncio import Future
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from services.sink.ports import Outgoing
from shared.messages.topics import TopicName
from shared.observability.metrics import EVENTS, SENT
from shared.pipeline.closing import close_client
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import BATCH_BYTES, CODEC, MAX_MESSAGE_BYTES, group_name, topic_name, transaction_name
from shared.settings import Settings

_TRANSACTION_TIMEOUT_MS: Final = 60_000
_CAUSE_SECONDS: Final = 1.0

NewProducer = Callable[..., AIOKafkaProducer]
"""Makes a producer of the options of `AIOKafkaProducer`."""


class Publisher:
    """Sends a batch's records and commits its offset in one transaction."""

    def __init__(
        self, settings: Settings, stage: str, source: TopicPartition, new_producer: NewProducer = AIOKafkaProducer
    ) -> None:
        self._settings: Final = settings
        self._new_producer: Final = new_producer
        self._stage: Final = stage
        self._source: Final = source
        self._group: Final = group_name(settings, stage)
        identity = f"{stage}-{source.topic.removeprefix(settings.topic_prefix)}-{source.partition}"
        self._options: Final[Mapping[str, Any]] = {
            **client_options(settings),
            "transactional_id": transaction_name(settings, identity),
            "transaction_timeout_ms": _TRANSACTION_TIMEOUT_MS,
            "max_request_size": MAX_MESSAGE_BYTES,
            "max_batch_size": BATCH_BYTES,
            "compression_type": CODEC,
            "linger_ms": 0,
        }
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        """Start, which fences the former owner. Raises KafkaError."""
        self._producer = self._new_producer(**self._options)
        try:
            await self._producer.start()
        except BaseException:
            await close_client(self._stage, self._producer)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._producer is not None:
            await close_client(self._stage, self._producer)

    async def publish(self, records: Iterable[Outgoing], next_offset: int | None) -> None:
        """Send the records and commit `next_offset` (None = no offset) in one transaction.

        Raises the KafkaError that made the transaction fail; ProducerFenced above all others. What the records
        themselves raise ends the transaction, too.
        """
        producer = self._producer
        assert producer is not None
        told = _Told()
        async with producer.transaction():
            sent: list[Future[Any]] = []
            try:
                async for batch in self._batches(producer, map(told.counted, records)):
                    sent.append(batch)  # noqa: PERF401 - a later one may fail
                if next_offset is not None:
                    await producer.send_offsets_to_transaction({self._source: next_offset}, self._group)
                await asyncio.gather(*sent)  # a commit does not ask whether all that was sent has arrived
            except (KafkaError, IllegalOperation) as error:
                if sent:  # what was on its way is told the cause a moment later
                    await asyncio.wait(sent, timeout=_CAUSE_SECONDS)
                raise _cause(error, sent) from error
        told.tell(self._stage)

    async def _batches(self, producer: AIOKafkaProducer, records: Iterable[Outgoing]) -> AsyncIterator[Future[Any]]:
        """Send the records, those of a partition in their order; yield what comes of each batch.

        By the batch, not by the record: of those there are thousands, and `send` was a quarter of the sink's time. Each
        is made when it is taken, and packed at once: as objects they would be most of the sink's memory.
        """
        for (topic, partition), batch in _filled(producer.create_batch, records):
            sent: Future[Any] = await producer.send_batch(batch, topic_name(self._settings, topic), partition=partition)
            sent.add_done_callback(_error_of)  # whichever error ends the transaction, the others are no news
            yield sent


class _Told:
    """Counts the records of a transaction on their way, and tells them once they are committed."""

    def __init__(self) -> None:
        self._topics: Final[Counter[str]] = Counter()
        self._events: Final[Counter[str]] = Counter()

    def counted(self, record: Outgoing) -> Outgoing:
        self._topics[record.topic.name] += 1
        if record.event:
            self._events[record.event] += 1
        return record

    def tell(self, stage: str) -> None:
        for topic, many in self._topics.items():
            SENT.labels(stage, topic).inc(many)
        for kind, many in self._events.items():
            EVENTS.labels(kind).inc(many)


_Place = tuple[TopicName, int]


def _filled(new: Callable[[], Any], records: Iterable[Outgoing]) -> Iterator[tuple[_Place, Any]]:
    """Yield batches of the records, each filled; one takes its first record whatever its size: the broker judges."""
    open_: dict[_Place, Any] = {}
    for record in records:
        place = record.topic, record.partition
        batch = open_.get(place)
        if batch is None:
            batch = open_[place] = new()
        if not _taken(batch, record):
            yield place, batch
            batch = open_[place] = new()
            _taken(batch, record)
    yield from open_.items()


def _taken(batch: Any, record: Outgoing) -> bool:
    """Put the record into the batch; return False where it is full."""
    told = batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
    return told is not None


def _cause(error: KafkaError | IllegalOperation, sent: Iterable[Future[Any]]) -> KafkaError:
    """Return why a transaction failed.

    error: the first that was noticed. Once aiokafka has given the transaction up, that may be IllegalOperation, which
    tells of the state and not of the cause; what was on its way then has failed with the cause.
    """
    errors = [error, *(_error_of(future) for future in sent if future.done())]
    causes = [each for each in errors if isinstance(each, KafkaError)]
    fenced = (each for each in causes if isinstance(each, ProducerFenced))
    return next(fenced, causes[0] if causes else KafkaError(*error.args))


def _error_of(future: Future[Any]) -> BaseException | None:
    return None if future.cancelled() else future.exception()
