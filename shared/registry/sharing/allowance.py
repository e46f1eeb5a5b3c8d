"""What a worker may use of a registry's budget, so that all together never pass its limit. Pure; times are given.

The rule: a worker uses the smallest share it had over a range of log states, and only while a beat of its own that it
has read back is young. Ranges are chosen so that those of any two workers that use something in the same second
overlap: in one log state they all have at least what they use, and there the division sums to the limit.

Why they overlap. A range ends at what the worker has read. It starts at the later of two positions:

- what it had read a time to live and a second ago. Whoever uses something now has read back a beat of its own that is
  younger than that, so it has read further;
- the lowest position that every member had told, a second ago, to have read. Each has read at least that far since. A
  member that was not known then came later than all that was told, and has read itself before it uses anything.

Where nobody else had a share in any state of the range, nobody else can use any: then the worker uses its last share
at once. So who works alone waits for one record to be read back, and no longer.

A worker that comes reads the whole log first (it is compacted: the last beat of each is in it), so it knows all
members before it asks for anything; and its range begins with states in which it had nothing, until all have told to
have read of it. No clocks are compared: each only measures spans.

Requests and connections follow the same rule, with two differences. Who is silent sends nothing after two seconds, but
may hold its connections open for long: they are given away only when it is gone. And who has more connections open
than it may cannot close them at once: it tells as read only what it has complied with.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.messages.budget_claimed import Beat
from shared.registry.sharing.ledger import NOTHING, Ledger, Record, Share

WINDOW_SECONDS: Final = 1.1
"""The second in which nobody may pass the limit, and what a request's way may add to it."""

MARGIN_SECONDS: Final = 0.1
REQUESTS_TTL: Final = 2.0
"""Seconds that a beat lets its sender send requests."""

CONNECTIONS_TTL: Final = 60.0
"""Seconds that a beat lets its sender open connections; longer than that, a stopped process is taken for gone."""

_STEP_SECONDS: Final = 0.05
"""How exactly it is remembered when what was read, and how soon a share is computed anew."""


@dataclass(frozen=True)
class _Entry:
    """mine: the share as of a position, until the next entry's.  alone: nobody else had one."""

    position: int
    mine: int
    alone: bool


@dataclass
class _History:
    """The shares of one registry over positions, the last ones."""

    entries: deque[_Entry] = field(default_factory=deque)

    def note(self, position: int, mine: int, *, alone: bool) -> None:
        last = self.entries[-1] if self.entries else _Entry(-1, 0, alone=True)
        if (last.mine, last.alone) != (mine, alone):
            self.entries.append(_Entry(position, mine, alone))

    def forget_before(self, position: int) -> None:
        """Forget what held only before a position."""
        while len(self.entries) > 1 and self.entries[1].position <= position:
            self.entries.popleft()

    def usable(self, start: int) -> int:
        """Return what may be used over the states from a position on."""
        mine = []
        is_alone = True
        for entry in reversed(self.entries):
            mine.append(entry.mine)
            is_alone = is_alone and entry.alone
            if entry.position <= start:
                break
        else:
            mine.append(0)  # before its first entry there was nothing
        return mine[0] if is_alone else min(mine)


class _Moments:
    """Positions by the moment at which they were known, the last ones.

    seconds: how far back it is asked.  step: positions known sooner after another are left out.
    """

    def __init__(self, seconds: float, step: float = 0.0) -> None:
        self._seconds: Final = seconds
        self._step: Final = step
        self._known: Final[deque[tuple[float, int]]] = deque()

    def note(self, now: float, position: int) -> None:
        if not self._known or now - self._known[-1][0] >= self._step:
            self._known.append((now, position))
        self.oldest(now)

    def oldest(self, now: float) -> int:
        """Return the last one that was known as long ago as is asked, -1 where none was, and forget those before."""
        while len(self._known) > 1 and self._known[1][0] <= now - self._seconds:
            self._known.popleft()
        at, position = self._known[0] if self._known else (float("inf"), -1)
        return position if at <= now - self._seconds else -1

    def by(self, moment: float) -> int | None:
        """Return the last position known by a moment, None where none was."""
        return next((position for at, position in reversed(self._known) if at <= moment), None)


class _Rule:
    """The rule for one resource.  ttl: seconds that a beat lets its sender use its share."""

    def __init__(self, ttl: float) -> None:
        self.ttl: Final = ttl
        self._read: Final = _Moments(ttl + WINDOW_SECONDS, _STEP_SECONDS)
        self._told: Final[dict[str, _Moments]] = {}
        self._histories: Final[dict[str, _History]] = {}
        self._start = -1
        self._computed_at = float("-inf")

    def hear(self, now: float, worker: str, told: int) -> None:
        self._told.setdefault(worker, _Moments(WINDOW_SECONDS)).note(now, told)

    def note(self, now: float, registry: str, position: int, mine: int, *, alone: bool) -> None:
        history = self._histories.setdefault(registry, _History())
        history.note(position, mine, alone=alone)
        history.forget_before(self._read.oldest(now))

    def read(self, now: float, position: int, members: Mapping[str, Beat]) -> None:
        self._read.note(now, position)
        for worker in [worker for worker in self._told if worker not in members]:
            del self._told[worker]
        self._computed_at = float("-inf")

    def usable(self, now: float, registry: str, counted: Iterable[str]) -> int:
        """counted: the members that may use some now."""
        history = self._histories.get(registry)
        if history is None:
            return 0
        if not 0 <= now - self._computed_at < _STEP_SECONDS:
            self._start = max(self._read.oldest(now), self._told_by(now - WINDOW_SECONDS, counted))
            self._computed_at = now
        return history.usable(self._start)

    def _told_by(self, moment: float, counted: Iterable[str]) -> int:
        told = (self._told[worker].by(moment) for worker in counted)
        return min((position for position in told if position is not None), default=-1)


@dataclass(frozen=True)
class Changed:
    """Registries.  told: of which something else was told.  mine: of which this worker's share is another."""

    told: frozenset[str]
    mine: frozenset[str]


class Allowance:
    """One worker's view of the log, and what it may use.  clock: monotonic seconds, of this machine alone."""

    def __init__(self, worker: str, clock: Callable[[], float]) -> None:
        self.ledger: Final = Ledger()
        self._worker: Final = worker
        self._clock: Final = clock
        self._requests: Final = _Rule(REQUESTS_TTL)
        self._connections: Final = _Rule(CONNECTIONS_TTL)
        self._sent: Final[dict[int, float]] = {}
        self._confirmed_at = float("-inf")
        self._listening_since = float("-inf")
        self._heard: Final[dict[str, float]] = {}
        self._last: Final[dict[str, Share]] = {}

    def sending(self, number: int) -> None:
        """Told right before a beat of its own is sent."""
        self._sent[number] = self._clock()

    def read(self, position: int, record: Record, at_ms: int = 0) -> Changed:
        """Take the log's next record, and return what it changed."""
        now = self._clock()
        touched = self.ledger.read(position, record, at_ms)
        if isinstance(record, Beat) and self.ledger.members[record.worker] is record:
            self._hear(record, now)
        mine = frozenset(registry for registry in touched if self._note(now, registry, position))
        for worker in [worker for worker in self._heard if worker not in self.ledger.members]:
            del self._heard[worker]
        for rule in (self._requests, self._connections):
            rule.read(now, position, self.ledger.members)
        return Changed(touched, mine)

    def requests(self, registry: str) -> int:
        """Return the requests it may send to a registry in any second that lasts on."""
        members, silent = self.ledger.members, self.ledger.silent
        return self._usable(self._requests, registry, (worker for worker in members if worker not in silent))

    def connections(self, registry: str) -> int:
        """Return how many connections to a registry it may have open."""
        return self._usable(self._connections, registry, self.ledger.members)

    def unheard(self, seconds: float) -> list[Beat]:
        """Return the last beat of each other member that was not heard of for so long, while this one was listening."""
        now = self._clock()
        if now >= self._confirmed_at + REQUESTS_TTL:
            return []
        return [
            last
            for worker, last in self.ledger.members.items()
            if worker != self._worker and now - max(self._heard[worker], self._listening_since) >= seconds
        ]

    def _usable(self, rule: _Rule, registry: str, counted: Iterable[str]) -> int:
        now = self._clock()
        if now >= self._confirmed_at + rule.ttl - MARGIN_SECONDS:
            return 0
        return rule.usable(now, registry, counted)

    def _hear(self, beat: Beat, now: float) -> None:
        self._heard[beat.worker] = now
        self._requests.hear(now, beat.worker, beat.seen)
        self._connections.hear(now, beat.worker, beat.settled)
        if beat.worker != self._worker:
            return
        sent = self._sent.pop(beat.number, None)
        if sent is None:
            return
        for older in [number for number in self._sent if number < beat.number]:
            del self._sent[older]
        if now >= self._confirmed_at + REQUESTS_TTL:
            self._listening_since = now
        self._confirmed_at = max(self._confirmed_at, sent)

    def _note(self, now: float, registry: str, position: int) -> bool:
        shares = self.ledger.shares(registry)
        mine = shares.pop(self._worker, NOTHING)
        others = shares.values()
        self._requests.note(now, registry, position, mine.requests, alone=not any(share.requests for share in others))
        self._connections.note(
            now, registry, position, mine.connections, alone=not any(share.connections for share in others)
        )
        before, self._last[registry] = self._last.get(registry, NOTHING), mine
        return before != mine
