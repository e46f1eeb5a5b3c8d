"""The records of one partition that wait for their batch. Pure; the caller tells the time."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar


class Placed(Protocol):
    """A record with its place in the partition, and how many rows it makes, about."""

    @property
    def offset(self) -> int: ...

    @property
    def weight(self) -> int: ...


R = TypeVar("R", bound=Placed)

_BATCHES_HELD: Final = 2
"""Batches of a partition that are held in memory, the one at work included."""

BATCHES_HELD_IN_ALL: Final = 16
"""The same, of all partitions of a topic together."""

_RESTS: Final = 4
"""Rest after a batch, in times of what it took: it costs broker and store much the same whatever its size."""

_MOST_DELAYS: Final = 10
"""The longest rest, in delays."""


@dataclass
class Flow:
    """All that comes in on one topic, whichever the partition.

    most: the weight that all its partitions together may hold.  partitions: how many are ours.
    last: when something came, seconds.
    """

    most: int
    partitions: int = 1
    last: float = 0.0

    @property
    def share(self) -> int:
        """The weight that each partition may hold."""
        return self.most // max(1, self.partitions)


class Buffer(Generic[R]):
    """Holds records, in order and each once, until what they led to is committed.

    batch_weight: rows that make a batch full; fewer do where the partition may not hold as many.
    delay_seconds: the shortest rest between two batches, so that the second can fill. After one that took long the rest
    is longer, while more comes in: the busier all is, the fewer batches, and the larger. What comes when nothing is
    going on does not wait.
    """

    def __init__(self, batch_weight: int, delay_seconds: float, flow: Flow) -> None:
        self._batch_weight = batch_weight
        self._delay_seconds = delay_seconds
        self._flow = flow
        self._held: deque[R] = deque()
        self._weight = 0
        self._next = 0
        self._rests_until = 0.0
        self._silence = delay_seconds  # after which no more is expected

    def offer(self, records: Iterable[R], now: float) -> None:
        """Take records as they were fetched; what came before, or was committed, is passed over."""
        for record in records:
            if record.offset >= self._next:
                self._held.append(record)
                self._weight += record.weight
                self._next = record.offset + 1
                self._flow.last = now

    def drop_before(self, offset: int) -> None:
        """Forget the records below `offset`: they are committed."""
        self._next = max(self._next, offset)
        while self._held and self._held[0].offset < offset:
            self._weight -= self._held.popleft().weight

    def worked(self, next_offset: int, seconds: float, now: float) -> None:
        """Forget the batch below `next_offset`, which took so long: it is committed."""
        self.drop_before(next_offset)
        self._silence = self._rest(seconds)
        self._rests_until = now + self._rest(_RESTS * seconds)

    def batch(self, now: float) -> list[R]:
        """Return the records to work now, still held; none when they may wait for more."""
        if not self._held or self.seconds_to_wait(now) > 0:
            return []
        batch: list[R] = []
        weight = 0
        for record in self._held:
            if batch and weight + record.weight > self._full:
                break
            batch.append(record)
            weight += record.weight
        return batch

    def seconds_to_wait(self, now: float) -> float:
        """Return how long until a batch is due; 0 when one is."""
        if not self._held or self._weight >= self._full:
            return 0.0
        return max(0.0, min(self._rests_until, self._flow.last + self._silence) - now)

    def _rest(self, seconds: float) -> float:
        """Return so long, or what is allowed of it."""
        return min(max(self._delay_seconds, seconds), _MOST_DELAYS * self._delay_seconds)

    @property
    def count(self) -> int:
        """How many records are held."""
        return len(self._held)

    @property
    def weight(self) -> int:
        """The weight of all records held."""
        return self._weight

    @property
    def is_empty(self) -> bool:
        return not self._held

    @property
    def has_room(self) -> bool:
        """True while more of the partition is wanted."""
        return self._weight < _BATCHES_HELD * self._full

    @property
    def _full(self) -> int:
        """The weight of a full batch."""
        return max(1, min(self._batch_weight, self._flow.share // _BATCHES_HELD))
