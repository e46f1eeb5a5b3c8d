"""A randomised world of workers that share a registry: late reads, late sends, stops, deaths, joins, a broker away.

Time is the world's own; each worker's clock starts anywhere. In half of the worlds all always have work, in the others
work comes in bursts, now to one stage, now to another, as in short loads. Workers send whatever they may send. The hunt
looks for a second in which all together send more than the limit, and for a moment at which they have more connections
open.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from shared.messages.budget_claimed import Beat, Claim, Gone, Silent
from shared.registry.sharing.allowance import CONNECTIONS_TTL, REQUESTS_TTL, Allowance
from shared.registry.sharing.ledger import Record
from shared.registry.sharing.rule import WINDOW_SECONDS

REGISTRY: Final = "registry01"
STEP: Final = 0.05
BEAT: Final = 0.4
SOON: Final = 0.05
_WINDOW: Final = round(1.0 / STEP) + 1
"""Moments of a closed second."""

_ENDLESS: Final = 1_000_000_000
_DELAYS: Final = (0.0, 0.0, 0.0, 0.0, 0.1, 0.5, 1.2, 1.4, 1.6, 1.75, 2.5)

Make = Callable[[str, Callable[[], float]], Allowance]


@dataclass
class Worker:
    """A process.  offset: of its clock.  frozen_until, lag, slow: how it is held up; world times and seconds.

    told: its last beat.  awaited: the last position at which another's share grew.
    sent: in each moment of the last second.  backlog: requests that it has yet to send.  open: connections.
    """

    name: str
    stage: int
    offset: float
    allowance: Allowance = field(init=False)
    number: int = 0
    read: int = 0
    open: int = 0
    backlog: int = 0
    awaited: int = -1
    told: Beat | None = None
    beat_at: float = float("-inf")
    next_beat: float = 0.0
    frozen_until: float = 0.0
    lag: float = 0.0
    slow: float = 0.0
    dead_at: float | None = None
    is_known_dead: bool = False
    sent: deque[int] = field(default_factory=lambda: deque([0], maxlen=_WINDOW))

    def complies(self) -> tuple[int, int]:
        return self.allowance.complied({REGISTRY: sum(self.sent)}, {REGISTRY: self.open})

    def has_news(self) -> bool:
        """Return whether others wait for what it would tell now."""
        if self.told is None:
            return False
        requests = sum(claim.requests for claim in self.told.claims)
        sent = sum(claim.sent for claim in self.told.claims)
        share = self.allowance.share(REGISTRY).requests
        if (requests > 0) != (self.backlog > 0) or (share.holds > share.sends and sum(self.sent) < sent):
            return True
        seen, settled = self.complies()
        return self.told.seen < min(seen, self.awaited) or self.told.settled < min(settled, self.awaited)

    def use(self, most: int) -> None:
        """Send so many requests, if it has as many and may send them."""
        may_send = self.allowance.requests(REGISTRY) - sum(self.sent)
        now = max(0, min(most, may_send, self.backlog))
        self.sent[-1] += now
        self.backlog -= now


class World:
    """Runs workers over a log.  over: (time, what, how much) of each moment at which a limit was passed."""

    limits: tuple[int, ...] = (1, 2, 5, 10, 100, 400)

    def __init__(self, seed: int, make: Make = Allowance) -> None:
        self.random: Final = Random(seed)
        self.limit: Final = self.random.choice(self.limits)
        self.now = 0.0
        self.over: list[tuple[float, str, int]] = []
        self.most: Final = {"requests": 0, "connections": 0}
        self._make: Final = make
        self._log: list[tuple[float, Record]] = []
        self._on_the_way: list[tuple[float, int, Record]] = []
        self._workers: list[Worker] = []
        self._dead: list[Worker] = []
        self._names = 0
        self._away_until = 0.0
        self._idle = False
        self._in_bursts = self.random.random() < 0.5
        self._truth: Final = self.random.choice(((1,), (0,), (0, 1, 2)))

    def run(self, seconds: float) -> None:
        """Let the world go on."""
        self.people()
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self._disturb()
            self._arrive()
            self._work_comes()
            for worker in (*self._workers, *self._dead):
                worker.sent.append(0)
            for worker in self._workers:
                if worker.frozen_until <= self.now:
                    self._work(worker)
            self._judge()

    def people(self) -> None:
        """Let the first workers come."""
        for _ in range(self.random.randint(1, 6)):
            self._join(self.random.randint(0, 2))

    def _join(self, stage: int) -> None:
        self._names += 1
        worker = Worker(f"worker{self._names:02}", stage, self.random.uniform(0, 10_000))
        worker.allowance = self._make(worker.name, lambda: self.now + worker.offset)
        worker.next_beat = self.now
        self._workers.append(worker)
        for position in self._compacted():
            at, record = self._log[position]
            worker.allowance.read(position, record, round(at * 1000))
        worker.read = len(self._log)

    def _compacted(self) -> list[int]:
        """Return the positions of the last records of each worker, as a compacted log may have them."""
        last = {(record.worker, type(record)): position for position, (_, record) in enumerate(self._log)}
        return sorted(last.values())

    def _work_comes(self) -> None:
        """Give work to all, or in bursts to the workers of one stage or some."""
        if not self._in_bursts:
            for worker in self._workers:
                worker.backlog = 0 if self._idle and worker.stage else _ENDLESS
        elif self.random.random() < 0.03 or not any(worker.backlog for worker in self._workers):
            stages = self.random.sample(range(3), self.random.choice((1, 1, 1, 2)))
            for worker in self._workers:
                if worker.stage in stages:
                    worker.backlog += self.random.choice((1, 1 + self.limit // 4, self.limit, 3 * self.limit))

    def _disturb(self) -> None:
        if self.random.random() < 0.01 and len(self._workers) < 9:
            self._join(self.random.randint(0, 2))
        if self.random.random() < 0.004 and len(self._workers) > 1:
            killed = self.random.choice(self._workers)  # nothing more is heard of it, but it has used what it has
            killed.dead_at, killed.is_known_dead = self.now, self.random.random() < 0.5
            self._workers.remove(killed)
            self._dead.append(killed)
        if self.random.random() < 0.004 and len(self._workers) > 1:
            leaves = self.random.choice(self._workers)
            if leaves.frozen_until <= self.now and leaves.number:
                leaves.use(_ENDLESS)  # and then it has closed everything, and says so
                self._send(leaves, Gone(worker=leaves.name, number=leaves.number))
                self._workers.remove(leaves)
                self._dead.append(leaves)
        if self.random.random() < 0.002:
            self._away_until = self.now + self.random.uniform(0.5, 8)
        if self.random.random() < 0.01:
            self._idle = not self._idle
        for worker in self._workers:
            if self.random.random() < 0.006:
                worker.frozen_until = self.now + self.random.choice((0.3, 1.0, 1.8, 2.5, 6.0, 30.0))
            if self.random.random() < 0.02:
                worker.lag, worker.slow = self.random.choice(_DELAYS), self.random.choice(_DELAYS)

    def _send(self, worker: Worker, record: Record) -> None:
        at = self.now + worker.slow + self.random.uniform(0, 0.1)
        mine = [when for when, of, _ in self._on_the_way if of == id(worker)]
        self._on_the_way.append((max([at, *mine]), id(worker), record))  # a client keeps its order

    def _arrive(self) -> None:
        if self.now < self._away_until:
            return
        due = sorted((one for one in self._on_the_way if one[0] <= self.now), key=lambda one: one[0])
        self._on_the_way = [one for one in self._on_the_way if one[0] > self.now]
        self._log += [(self.now, record) for _, _, record in due]

    def _read_on(self, worker: Worker) -> None:
        while worker.read < len(self._log) and self._log[worker.read][0] <= self.now - worker.lag:
            at, record = self._log[worker.read]
            changed = worker.allowance.read(worker.read, record, round(at * 1000))
            if changed.awaited:
                worker.awaited = worker.read
            if changed.mine or changed.awaited:
                self._hurry(worker)
            worker.read += 1

    def _hurry(self, worker: Worker) -> None:
        """Let it beat soon."""
        worker.next_beat = min(worker.next_beat, max(self.now, worker.beat_at + SOON))

    def _work(self, worker: Worker) -> None:
        worker.use(self._most())  # who wakes may send before it reads on
        if worker.frozen_until > self.now - STEP:
            return
        self._read_on(worker)
        worker.use(self._most())
        usable = worker.allowance.connections(REGISTRY)
        if worker.open > usable and self.random.random() < 0.03:
            worker.open = usable  # what was under way has ended, at last
        elif worker.open < usable and not (self._idle and worker.stage):
            worker.open = usable
        if worker.has_news():
            self._hurry(worker)
        if self.now < worker.next_beat:
            return
        worker.beat_at, worker.next_beat = self.now, self.now + BEAT
        worker.number += 1
        worker.allowance.sending(worker.number)
        worker.told = self._beat(worker)
        self._send(worker, worker.told)
        if self.random.random() < 0.5:
            worker.use(self._most())  # after it has told what it had sent
        for last in worker.allowance.unheard(REQUESTS_TTL):
            self._send(worker, Silent(worker=last.worker, number=last.number))
        gone = worker.allowance.unheard(CONNECTIONS_TTL + WINDOW_SECONDS)
        dead = {one.name for one in self._dead if one.is_known_dead}
        gone += [last for last in worker.allowance.unheard(1.0) if last.worker in dead]
        for last in gone:
            self._send(worker, Gone(worker=last.worker, number=last.number))

    def _most(self) -> int:
        return self.random.choice((0, 1, 1 + self.limit // 3, _ENDLESS, _ENDLESS, _ENDLESS))

    def _beat(self, worker: Worker) -> Beat:
        wanted = min(worker.backlog, 500)
        want = min(wanted, self.random.choice((0, 3, 50, 500, 500))) if not self._in_bursts else wanted
        sent = sum(worker.sent)
        claim = Claim(
            registry=REGISTRY,
            stage=worker.stage,
            requests=want,
            sent=self._told_sent(sent),
            connections=max(worker.open, min(want, 3)),
            max_rps=self.limit,
            max_connections=self.limit,
        )
        seen, settled = worker.complies()
        return Beat(
            worker=worker.name,
            number=worker.number,
            seen=seen,
            settled=settled,
            claims=(claim,) if claim.requests or claim.sent or claim.connections else (),
        )

    def _told_sent(self, sent: int) -> int:
        """Return what is told of what was sent: that no limit is passed does not depend on its being true."""
        return sent * self.random.choice(self._truth)

    def _judge(self) -> None:
        self._note("requests", sum(sum(worker.sent) for worker in (*self._workers, *self._dead)))
        self._note("connections", sum(worker.open for worker in self._workers))

    def _note(self, what: str, total: int) -> None:
        self.most[what] = max(self.most[what], total)
        if total > self.limit:
            self.over.append((round(self.now, 2), what, total))


def hunt(seeds: Iterator[int] | range, make: Make = Allowance, seconds: float = 90.0) -> tuple[int, int, int]:
    """Return in how many worlds a limit was passed, and in how many each was used to the full."""
    passed = requests = connections = 0
    for seed in seeds:
        world = World(seed, make)
        world.run(seconds)
        passed += bool(world.over)
        requests += world.most["requests"] >= world.limit
        connections += world.most["connections"] >= world.limit
    return passed, requests, connections


class CalmWorld(World):
    """Nothing disturbs: a lister, a tagger and some manifesters, and short bursts of work that go from stage to stage.

    unused: how much of the budget lay idle while there was work, in seconds of the whole budget.  bursts: how many.
    """

    limits = (10, 50, 100, 400)

    def __init__(self, seed: int, make: Make = Allowance) -> None:
        super().__init__(seed, make)
        self.unused = 0.0
        self.bursts = 0
        self._stage = 0

    def people(self) -> None:
        for stage in (0, 1, *[2] * self.random.randint(1, 3)):
            self._join(stage)

    def _disturb(self) -> None:
        """Nothing happens."""

    def _work_comes(self) -> None:
        if any(worker.backlog for worker in self._workers):
            return
        self.bursts += 1
        for worker in self._workers:
            if worker.stage == self._stage:
                worker.backlog = self.random.choice((1, 1 + self.limit // 4, self.limit))
        self._stage = (self._stage + 1) % 3

    def _most(self) -> int:
        return _ENDLESS

    def _told_sent(self, sent: int) -> int:
        return sent

    def _judge(self) -> None:
        super()._judge()
        backlog = sum(worker.backlog for worker in self._workers)
        free = self.limit - sum(sum(worker.sent) for worker in self._workers)
        self.unused += STEP * min(backlog, max(0, free)) / self.limit
