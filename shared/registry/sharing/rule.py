"""What a worker may use of a registry's budget, so that all together never pass its limit. Pure; times are given.

The log's state after each record divides the limit: each worker holds a part, and may send the whole part or less
(`division.hand_over`). What all hold in one state is at most the limit.

The rule. A worker sends a request only if, with those it sent in the last second, it sends no more than the smallest
part it may send over a range of states, and only while a beat of its own that it has read back is young. The range ends
at the last state it has read. It starts at the later of two positions:

- the floor: what it had read a time to live and a second ago;
- the lowest position with which each other holder complies, as of the last beat that was read of it. Holders are those
  that held a part in any state since the floor, and have not told since to comply with a state in which they hold none;
  all members, for a worker that came so lately that it has no floor.

A worker complies with a state once it has read it, and the requests that it sent in the last second are no more than
the part it holds there; at the latest a second after it has read it. It complies with a position when it complies with
all states up to it. It tells the position with each beat (`Beat.seen`).

Why no second has more requests than the limit. Take any second. For each worker that sent in it take the start of its
range at its last request there; let S be the latest of these starts, and F the worker whose start it is. Each worker
sent at most what it holds in state S, so all sent at most the limit:

- A worker that had read S before its last request had S in its range: its range starts no later. So its requests of the
  last second were no more than its part in S.
- Of a worker that had not read S when it sent its last request: S is not F's floor. Whoever sends has read back a beat
  of its own that is younger than the time to live, so it has read further than the floor of anybody in that second.
  - If F knew it as a holder, it has told to comply with S, in a beat that F had read. It sent nothing after that beat
    before it read S, so all its requests of this second lie before it, and less than a second before it: what it sent
    then is no more than its part in S. If it complies because a second has passed, none of them is in this second.
  - If F knew it as a member that held nothing since the floor, it had no part in the last state it had read either, for
    that lies between the floor and S: it sent nothing.
  - If it has told since to comply with a state in which it held nothing, it had sent nothing in the second before that,
    and nothing after it, for it held nothing in any state from there to S.
  - If F did not know it yet, its first beat comes after S, and it sends nothing before it has read that back.
  - If F had read that it is gone or silent, F started its range before that record for a second. What it sent before,
    it sent more than a second ago; and it sends nothing again before it has read back a beat that comes after that
    record: that beat made it known to F again, or S comes before it.

Where nobody else held a part in any state of the range, the worker may send its last part, not the smallest: if S is in
the range, all others sent nothing by the above. So who works alone waits for one record to be read back, no longer.
That holds for ranges of states since its own first beat; what it has read of earlier ones is not all there was.

A request counts from before it is written until a second after it surely has arrived (`shared.registry.window`). So
what was not sent in the last second moves at once when both have read the change, and what was sent moves when its
second is over. No clocks are compared: each only measures spans.

A worker that comes reads the whole log first, so it knows all members before it asks for anything. The log is
compacted: of each member the last beat is in it, but not what it held before. So until there is a floor all count, and
nobody is alone in a state from before its own first beat.

Connections follow the same rule, with three differences. Who is silent sends nothing after two seconds, but may hold
its connections open for long: they are given away only when it is gone. A connection does not end by itself after a
second: a worker complies only once it has no more open than it holds. And what a worker tells of its connections counts
a moment later, when the registry has seen those end that it has closed.
"""

from collections.abc import Collection, Mapping
from typing import Final

from shared.messages.budget_claimed import Beat
from shared.registry.sharing.division import Part
from shared.registry.sharing.history import History, Moments

WINDOW_SECONDS: Final = 1.1
"""The second in which nobody may pass the limit, and what a request's way may add to it."""

CLOSING_SECONDS: Final = 0.1
"""From the end of a connection here to its end at the registry, at most."""

_STEP_SECONDS: Final = 0.05
"""How exactly it is remembered when what was read, and how soon a start is computed anew."""


class Rule:
    """The rule for one resource.

    ttl: seconds that a beat lets its sender use its part.  believed_after: seconds from reading what another complies
    with until that counts.  lapses: whether what is used ends by itself after a second.
    """

    def __init__(self, ttl: float, believed_after: float, *, lapses: bool) -> None:
        self.ttl: Final = ttl
        self._believed_after: Final = believed_after
        self._lapses: Final = lapses
        self._read: Final = Moments(ttl + WINDOW_SECONDS, _STEP_SECONDS)
        self._complies: Final[dict[str, Moments]] = {}
        self._histories: Final[dict[str, History]] = {}
        self._holders: Final[dict[str, dict[str, int | None]]] = {}
        """By registry: other workers that held a part, with the position since which they hold none."""

        self._departures: list[tuple[float, int]] = []
        """When, and at which position, it was read that a worker is gone or silent; of the last second."""

        self._starts: Final[dict[str, tuple[float, int]]] = {}
        self._own = -1
        self._came_at: int | None = None

    def came(self, position: int) -> None:
        """Take the position of a beat of this worker's own; the first one counts."""
        if self._came_at is None:
            self._came_at = position

    def heard(self, now: float, worker: str, complies: int) -> None:
        """Take from another's beat the position with which it complies."""
        self._complies.setdefault(worker, Moments(self._believed_after)).note(now, complies)

    def departed(self, now: float, position: int) -> None:
        """Take that somebody is gone or silent as of this position."""
        self._departures = [(at, where) for at, where in self._departures if now - at < WINDOW_SECONDS]
        self._departures.append((now, position))

    def note(self, now: float, registry: str, position: int, mine: Part, others: Mapping[str, Part]) -> None:
        """Take the parts of a registry as of this position."""
        floor = self._read.oldest(now)
        holding = {worker for worker, part in others.items() if part.holds}
        history = self._histories.setdefault(registry, History())
        history.note(position, mine, alone=not holding)
        history.forget_before(floor)
        before = self._holders.get(registry, {})
        left = {worker: position if until is None else until for worker, until in before.items()}
        kept = {worker: until for worker, until in left.items() if until > floor}
        self._holders[registry] = {**kept, **dict.fromkeys(holding, None)}

    def read(self, now: float, position: int, members: Mapping[str, Beat]) -> None:
        """Take that the log was read up to a position."""
        self._read.note(now, position)
        for worker in [worker for worker in self._complies if worker not in members]:
            del self._complies[worker]
        self._starts.clear()

    def complied(self, now: float, position: int, used: Mapping[str, int]) -> int:
        """Return the last position up to the one read with which this worker complies.

        used: of each registry, requests sent in the last second, or connections open.
        """
        self._own = max(self._own, self._read.by(now - WINDOW_SECONDS) if self._lapses else -1)
        reached = position
        for registry, many in used.items():
            if many:
                below = self._histories.get(registry, History()).first_below(many, self._own)
                reached = reached if below is None else min(reached, below - 1)
        self._own = max(self._own, reached)
        return self._own

    def usable(self, now: float, registry: str, position: int, others: Collection[str]) -> int:
        """Return what may be used of a registry now.  others: the other members that may use some now."""
        history = self._histories.get(registry)
        if history is None:
            return 0
        computed_at, start = self._starts.get(registry, (float("-inf"), -1))
        if not 0 <= now - computed_at < _STEP_SECONDS:
            start = self._start(now, registry, position, others)
            self._starts[registry] = now, start
        return history.usable(start, may_be_alone=self._came_at is not None and start >= self._came_at)

    def _start(self, now: float, registry: str, position: int, others: Collection[str]) -> int:
        floor = self._read.oldest(now)
        holders = self._holders.get(registry, {})
        complies = []
        for worker in others if floor < 0 else holders.keys() & others:
            until, complied = holders.get(worker), self._complies[worker].oldest(now)
            if until is None or complied < until > floor:
                complies.append(complied)
        departed = [where for at, where in self._departures if now - at < WINDOW_SECONDS]
        return min([max(floor, min(complies, default=position)), *(where - 1 for where in departed)])
