"""A randomised world of workers that share a registry: late reads, late sends, stops, deaths, joins, a broker away.

Time is the world's own; each worker's clock starts anywhere. The hunt looks for a second in which all together may send
more than the limit, and for a moment at which they have more connections open.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from shared.messages.budget_claimed import Beat, Claim, Gone, Silent
from shared.registry.sharing.allowance import CONNECTIONS_TTL, REQUESTS_TTL, WINDOW_SECONDS, Allowance
from shared.registry.sharing.ledger import Record

REGISTRY: Final = "registry01"
STEP: Final = 0.05
BEAT: Final = 0.4
_WINDOW: Final = round(1.0 / STEP)
_DELAYS: Final = (0.0, 0.0, 0.0, 0.0, 0.1, 0.5, 1.2, 1.4, 1.6, 1.75, 2.5)

Make = Callable[[str, Callable[[], float]], Allowance]


@dataclass
class Worker:
    """A process.  offset: of its clock.  frozen_until, lag, slow: how it is held up; world times and seconds.

    used: what it may have sent in the steps of the last second.  busy: connections that it cannot close yet.
    """

    name: str
    stage: int
    offset: float
    allowance: Allowance = field(init=False)
    number: int = 0
    read: int = 0
    settled: int = -1
    open: int = 0
    next_beat: float = 0.0
    frozen_until: float = 0.0
    lag: float = 0.0
    slow: float = 0.0
    dead_at: float | None = None
    is_known_dead: bool = False
    used: deque[int] = field(default_factory=lambda: deque(maxlen=_WINDOW))


class World:
    """Runs workers over a log.  over: (time, what, how much) of each moment at which a limit was passed."""

    def __init__(self, seed: int, make: Make = Allowance) -> None:
        self.random: Final = Random(seed)
        self.limit: Final = self.random.choice((1, 2, 5, 10, 100, 400))
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

    def run(self, seconds: float, until: Callable[["World"], bool] = lambda _: False) -> None:
        """Let the world go on for so long, or until something is so."""
        for _ in range(self.random.randint(1, 6)):
            self._join()
        for _ in range(round(seconds / STEP)):
            if until(self):
                return
            self.now += STEP
            self._disturb()
            self._arrive()
            for worker in self._workers:
                if worker.frozen_until <= self.now - STEP:  # who wakes may send before it reads on
                    self._work(worker)
            self._judge()

    def _join(self) -> None:
        self._names += 1
        worker = Worker(f"worker{self._names:02}", self.random.randint(0, 2), self.random.uniform(0, 10_000))
        worker.allowance = self._make(worker.name, lambda: self.now + worker.offset)
        worker.next_beat = self.now
        self._workers.append(worker)
        self._read_on(worker)  # all that is in the log

    def _disturb(self) -> None:
        if self.random.random() < 0.01 and len(self._workers) < 9:
            self._join()
        if self.random.random() < 0.004 and len(self._workers) > 1:
            killed = self.random.choice(self._workers)  # nothing more is heard of it, but it has used what it has
            killed.dead_at, killed.is_known_dead = self.now, self.random.random() < 0.5
            self._workers.remove(killed)
            self._dead.append(killed)
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
            worker.allowance.read(worker.read, record, round(at * 1000))
            worker.read += 1

    def _work(self, worker: Worker) -> None:
        self._read_on(worker)
        usable = worker.allowance.connections(REGISTRY)
        if worker.open > usable and self.random.random() < 0.03:
            worker.open = usable  # what was under way has ended, at last
        elif worker.open < usable and not (self._idle and worker.stage):
            worker.open = usable
        if self.now < worker.next_beat:
            return
        worker.next_beat = self.now + BEAT
        worker.number += 1
        if worker.open <= usable:
            worker.settled = worker.allowance.ledger.position
        worker.allowance.sending(worker.number)
        self._send(worker, self._beat(worker))
        for last in worker.allowance.unheard(REQUESTS_TTL):
            self._send(worker, Silent(worker=last.worker, number=last.number))
        gone = worker.allowance.unheard(CONNECTIONS_TTL + WINDOW_SECONDS)
        dead = {one.name for one in self._dead if one.is_known_dead}
        gone += [last for last in worker.allowance.unheard(1.0) if last.worker in dead]
        for last in gone:
            self._send(worker, Gone(worker=last.worker, number=last.number))

    def _beat(self, worker: Worker) -> Beat:
        want = 0 if self._idle and worker.stage else self.random.choice((0, 3, 50, 500, 500))
        claim = Claim(
            registry=REGISTRY,
            stage=worker.stage,
            requests=want,
            connections=max(worker.open, min(want, 3)),
            max_rps=self.limit,
            max_connections=self.limit,
        )
        return Beat(
            worker=worker.name,
            number=worker.number,
            seen=worker.allowance.ledger.position,
            settled=worker.settled,
            claims=(claim,) if claim.requests or claim.connections else (),
        )

    def _judge(self) -> None:
        for worker in self._workers:
            is_up = worker.frozen_until <= self.now
            worker.used.append(worker.allowance.requests(REGISTRY) if is_up else 0)
        for worker in self._dead:
            worker.used.append(0)
        sent = sum(max(worker.used) for worker in (*self._workers, *self._dead) if worker.used)
        self._note("requests", sent)
        self._note("connections", sum(worker.open for worker in self._workers))

    def _note(self, what: str, total: int) -> None:
        self.most[what] = max(self.most[what], total)
        if total > self.limit:
            self.over.append((round(self.now, 2), what, total))

    def is_used_to_the_full(self) -> bool:
        """Whether both limits were reached, each at some moment."""
        return min(self.most.values()) >= self.limit


def hunt(seeds: Iterable[int], seconds: float = 90.0) -> tuple[int, int, int]:
    """Return in how many worlds a limit was passed, and in how many each was used to the full."""
    passed = requests = connections = 0
    for seed in seeds:
        world = World(seed)
        world.run(seconds)
        passed += bool(world.over)
        requests += world.most["requests"] >= world.limit
        connections += world.most["connections"] >= world.limit
    return passed, requests, connections
