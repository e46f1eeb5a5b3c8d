"""Kafka, as far as the sink can tell: partitions, committed offsets, transactions, and fencing."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.sink.ports import Outgoing
from shared.messages.codec import decode, encode
from shared.messages.model import Message
from shared.messages.topics import BY_MESSAGE, IMAGES_OBSERVED, PUBLIC, SCAN_PROGRESSED
from shared.pipeline.partitioning import partition_of


class Source(NamedTuple):
    """A partition."""

    topic: str
    partition: int


@dataclass(frozen=True)
class Record:
    """A message as it lies in its partition.  of_sink: the sink sent it, not a stage before it."""

    offset: int
    message: Message
    of_sink: bool


@dataclass(frozen=True)
class Publication:
    """What one transaction sent, once it is committed."""

    at: int
    source: Source
    records: tuple[Outgoing, ...]


class Fenced(Exception):
    """Another producer has started under the same transactional id."""


class Lost(Exception):
    """The broker did not answer: the transaction was committed, or was not."""


_MODELS: Final = {topic.name: topic.message for topic in (IMAGES_OBSERVED, SCAN_PROGRESSED)}


class Log:
    """All partitions.  fences: False is a mistake for the hunt to find.  altered: what a mistake makes of a message."""

    def __init__(
        self, clock: Callable[[], int], *, fences: bool = True, altered: Callable[[Message], Message] | None = None
    ) -> None:
        self._clock = clock
        self._fences = fences
        self._altered = altered
        self._records: dict[Source, list[Record]] = defaultdict(list)
        self._ends: dict[Source, int] = defaultdict(int)
        self._committed: dict[Source, int] = defaultdict(int)
        self._epochs: dict[Source, int] = defaultdict(int)
        self.publications: list[Publication] = []

    def append(self, message: Message) -> None:
        """Take a message of a stage."""
        self._put(Source(BY_MESSAGE[type(message)].name, partition_of(message)), encode(message), of_sink=False)

    def fence(self, source: Source) -> int:
        """Start a producer for a source: return its epoch. Those before it publish no more."""
        self._epochs[source] += 1
        return self._epochs[source]

    def publish(self, source: Source, epoch: int, records: Sequence[Outgoing], next_offset: int | None) -> None:
        """Send the records and commit the source's offset, all or nothing. Raises Fenced."""
        if self._fences and epoch != self._epochs[source]:
            raise Fenced
        if next_offset is not None:
            self._committed[source] = next_offset
        touched = set()
        for record in records:
            if record.topic not in PUBLIC:
                target = Source(record.topic.name, record.partition)
                assert record.value is not None
                self._put(target, record.value, of_sink=True)
                touched.add(target)
        for target in touched:
            self._ends[target] += 1  # the transaction's marker takes an offset
        self.publications.append(Publication(self._clock(), source, tuple(records)))

    def committed(self, source: Source) -> int:
        return self._committed[source]

    def read(self, source: Source, offset: int, most: int) -> Sequence[Record]:
        """Return up to `most` records from an offset on."""
        records = self._records[source]
        start = bisect_left(records, offset, key=lambda record: record.offset)
        return records[start : start + most]

    def all(self, source: Source) -> Sequence[Record]:
        return self._records[source]

    def is_worked(self, source: Source) -> bool:
        """Return whether everything on the source is committed."""
        records = self._records[source]
        return not records or records[-1].offset < self._committed[source]

    def _put(self, target: Source, value: bytes, *, of_sink: bool) -> None:
        offset = self._ends[target]
        message: Message = decode(_MODELS[target.topic], value, offset)
        if self._altered is not None:
            message = self._altered(message)
        self._records[target].append(Record(offset, message, of_sink))
        self._ends[target] = offset + 1
