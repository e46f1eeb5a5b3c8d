"""What a worker may use of a registry's budget, so that all together never pass its limit. Pure; times are given.

The rule: a worker uses the smallest share it had over a range of log states, and only while a beat of its own that it
has read back is young. Ranges are chosen so that those of any two workers that use something in the same second
overlap: in one log state they all have at least what they use, and there the division sums to the limit.

Why they overlap. A range ends at what the worker has read. It starts at the later of two positions:

- what it had read a time to live and a second ago. Whoever uses something now has read back a beat of its own that is
  younger than that, so it has read further;
- the lowest position that every worker had told, a second ago, to have read. Each has read at least that far since. A
  worker that was not known then counts as having read nothing, until it is known for a second.

A worker that comes waits a time to live and a second before it uses anything: by then every other one that uses
something has read of it. A worker that goes silent is bidden farewell by another, a time to live after its last beat
was read; its own use had ended before. No clocks are compared: each only measures spans.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from shared.registry.sharing.ledger import Beat, Farewell, Ledger

WINDOW_SECONDS: Final = 1.1
"""The second in which nobody may pass the limit, and what a request's way may add to it."""

MARGIN_SECONDS: Final = 0.1


@dataclass
class _Read:
    """What was read up to a moment.  seen: by worker, the position it had told to have read."""

    at: float
    position: int
    seen: dict[str, int]


@dataclass
class _History:
    """A worker's share of one registry over positions, the last ones; each holds until the next."""

    shares: deque[tuple[int, int]] = field(default_factory=deque)

    def note(self, position: int, share: int) -> None:
        if not self.shares or self.shares[-1][1] != share:
            self.shares.append((position, share))

    def forget_before(self, position: int) -> None:
        """Forget what held only before a position."""
        while len(self.shares) > 1 and self.shares[1][0] <= position:
            self.shares.popleft()

    def smallest_since(self, position: int) -> int:
        """Return the smallest share that held at or after a position."""
        smallest = None
        for since, share in reversed(self.shares):
            smallest = share if smallest is None else min(smallest, share)
            if since <= position:
                return smallest
        return 0  # it had none at the beginning of the range


class Allowance:
    """One worker's view of the log, and what it may use.

    ttl: seconds that a beat lets its sender use its share.  clock: monotonic seconds, of this machine alone.
    """

    def __init__(self, worker: str, ttl: float, clock: Callable[[], float]) -> None:
        self._worker: Final = worker
        self._ttl: Final = ttl
        self._clock: Final = clock
        self._ledger: Final = Ledger()
        self._histories: Final[dict[str, _History]] = {}
        self._sent: Final[dict[int, float]] = {}
        self._valid_until = -1.0
        self._usable_from: float | None = None
        self._heard: Final[dict[str, float]] = {}
        self._reads: Final[deque[_Read]] = deque()

    @property
    def position(self) -> int:
        """The log position this worker has read."""
        return self._ledger.position

    def sending(self, number: int) -> None:
        """Told right before a beat of its own is sent."""
        self._sent[number] = self._clock()

    def read(self, position: int, record: Beat | Farewell) -> None:
        """Take the log's next record."""
        now = self._clock()
        if isinstance(record, Beat):
            self._heard[record.worker] = now
            if record.worker == self._worker:
                self._read_back(record, now)
        was_member = self._worker in self._ledger.members
        touched = self._ledger.read(position, record)
        if was_member and self._worker not in self._ledger.members:
            self._usable_from = None  # taken for gone: it comes again, and waits again
            self._valid_until = -1.0
        for registry in touched:
            history = self._histories.setdefault(registry, _History())
            history.note(position, self._ledger.share(registry, self._worker))
        seen = {worker: last.seen for worker, last in self._ledger.members.items()}
        self._reads.append(_Read(now, position, seen))

    def usable(self, registry: str) -> int:
        """Return what it may use of a registry now: requests a second, or connections."""
        now = self._clock()
        if self._usable_from is None or now < self._usable_from or now >= self._valid_until:
            return 0
        history = self._histories.get(registry)
        if history is None:
            return 0
        oldest = self._read_by(now - self._ttl - WINDOW_SECONDS)
        history.forget_before(oldest)
        return history.smallest_since(max(oldest, self._told_by(now - WINDOW_SECONDS)))

    def gone(self) -> list[Farewell]:
        """Return a farewell for each worker that was not heard of for its time to live."""
        now = self._clock()
        return [
            Farewell(worker, last.number)
            for worker, last in self._ledger.members.items()
            if worker != self._worker and now - self._heard[worker] >= self._ttl
        ]

    def _read_back(self, beat: Beat, now: float) -> None:
        sent = self._sent.pop(beat.number, None)
        if sent is None:
            return
        for older in [number for number in self._sent if number < beat.number]:
            del self._sent[older]
        self._valid_until = max(self._valid_until, sent + self._ttl - MARGIN_SECONDS)
        if self._usable_from is None:
            self._usable_from = now + self._ttl + WINDOW_SECONDS

    def _read_by(self, moment: float) -> int:
        """Return the position read by a moment, -1 where nothing was. Forgets what was read before."""
        while len(self._reads) > 1 and self._reads[1].at <= moment:
            self._reads.popleft()
        return self._reads[0].position if self._reads and self._reads[0].at <= moment else -1

    def _told_by(self, moment: float) -> int:
        """Return the lowest position that all workers of now had told by then to have read, -1 where one had not."""
        then = next((read for read in reversed(self._reads) if read.at <= moment), None)
        if then is None:
            return -1
        return min((then.seen.get(worker, -1) for worker in self._ledger.members), default=-1)
