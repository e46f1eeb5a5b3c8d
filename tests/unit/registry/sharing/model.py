"""A randomised world of workers that share a registry: late reads, late sends, stops, deaths, joins, a broker away.

Time is the world's own; each worker's clock starts anywhere. The hunt looks for a second in which all together may use
more than the limit.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from shared.registry.sharing.allowance import Allowance
from shared.registry.sharing.ledger import Beat, Claim, Farewell

REGISTRY: Final = "registry01"
STEP: Final = 0.05
TTL: Final = 2.0
BEAT: Final = 0.4
_WINDOW: Final = round(1.0 / STEP)
_DELAYS: Final = (0.0, 0.0, 0.0, 0.0, 0.1, 0.5, 1.2, 1.4, 1.6, 1.75, 2.5)

Make = Callable[[str, float, Callable[[], float]], Allowance]


@dataclass
class Worker:
    """A process.  offset: of its clock.  frozen_until, lag, slow: how it is held up; world times and seconds."""

    name: str
    stage: int
    offset: float
    allowance: Allowance = field(init=False)
    number: int = 0
    read: int = 0
    next_beat: float = 0.0
    frozen_until: float = 0.0
    lag: float = 0.0
    slow: float = 0.0
    used: deque[int] = field(default_factory=lambda: deque(maxlen=_WINDOW))


class World:
    """Runs workers over a log.  over: (time, what all may use) of each moment at which that was more than the limit."""

    def __init__(self, seed: int, make: Make = Allowance) -> None:
        self.random: Final = Random(seed)
        self.limit: Final = self.random.choice((1, 2, 5, 10, 100, 400))
        self.now = 0.0
        self.over: list[tuple[float, int]] = []
        self.most = 0
        self._make: Final = make
        self._log: list[tuple[float, Beat | Farewell]] = []
        self._on_the_way: list[tuple[float, int, Beat | Farewell]] = []
        self._workers: list[Worker] = []
        self._dead: list[Worker] = []
        self._names = 0
        self._away_until = 0.0
        self._idle = False

    def run(self, seconds: float) -> None:
        """Let the world go on."""
        for _ in range(self.random.randint(2, 6)):
            self._join()
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self._disturb()
            self._arrive()
            for worker in self._workers:
                if worker.frozen_until <= self.now:
                    self._work(worker)
            self._judge()

    def _join(self) -> None:
        self._names += 1
        worker = Worker(f"w{self._names:02}", self.random.randint(0, 2), self.random.uniform(0, 10_000))
        worker.allowance = self._make(worker.name, TTL, lambda: self.now + worker.offset)
        worker.next_beat = self.now
        self._workers.append(worker)

    def _disturb(self) -> None:
        if self.random.random() < 0.01 and len(self._workers) < 9:
            self._join()
        if self.random.random() < 0.004 and len(self._workers) > 1:
            killed = self.random.choice(self._workers)  # nothing more is heard of it, but it has used what it has
            self._workers.remove(killed)
            self._dead.append(killed)
        if self.random.random() < 0.002:
            self._away_until = self.now + self.random.uniform(0.5, 8)
        if self.random.random() < 0.01:
            self._idle = not self._idle
        for worker in self._workers:
            if self.random.random() < 0.006:
                worker.frozen_until = self.now + self.random.choice((0.3, 1.0, 1.8, 2.5, 6.0))
            if self.random.random() < 0.02:
                worker.lag, worker.slow = self.random.choice(_DELAYS), self.random.choice(_DELAYS)

    def _send(self, worker: Worker, record: Beat | Farewell) -> None:
        at = self.now + worker.slow + self.random.uniform(0, 0.1)
        mine = [when for when, of, _ in self._on_the_way if of == id(worker)]
        self._on_the_way.append((max([at, *mine]), id(worker), record))  # a client keeps its order

    def _arrive(self) -> None:
        if self.now < self._away_until:
            return
        due = sorted((one for one in self._on_the_way if one[0] <= self.now), key=lambda one: one[0])
        self._on_the_way = [one for one in self._on_the_way if one[0] > self.now]
        self._log += [(self.now, record) for _, _, record in due]

    def _work(self, worker: Worker) -> None:
        while worker.read < len(self._log) and self._log[worker.read][0] <= self.now - worker.lag:
            worker.allowance.read(worker.read, self._log[worker.read][1])
            worker.read += 1
        if self.now >= worker.next_beat:
            worker.next_beat = self.now + BEAT
            worker.number += 1
            want = 0 if self._idle and worker.stage else self.random.choice((0, 3, 50, 500, 500))
            claim = Claim(REGISTRY, worker.stage, want, self.limit)
            worker.allowance.sending(worker.number)
            self._send(worker, Beat(worker.name, worker.number, worker.allowance.position, (claim,) if want else ()))
            for farewell in worker.allowance.gone():
                self._send(worker, farewell)

    def _judge(self) -> None:
        for worker in self._workers:
            is_up = worker.frozen_until <= self.now
            worker.used.append(worker.allowance.usable(REGISTRY) if is_up else 0)
        for worker in self._dead:
            worker.used.append(0)
        total = sum(max(worker.used) for worker in (*self._workers, *self._dead) if worker.used)
        self.most = max(self.most, total)
        if total > self.limit:
            self.over.append((round(self.now, 2), total))


def hunt(seeds: Iterator[int] | range, make: Make = Allowance, seconds: float = 60.0) -> tuple[int, int]:
    """Return in how many worlds the limit was passed, and in how many it was used to the full."""
    passed = full = 0
    for seed in seeds:
        world = World(seed, make)
        world.run(seconds)
        passed += bool(world.over)
        full += world.most >= world.limit
    return passed, full
