"""One worker's view of the log: what it may use of each registry, by the rule (`rule`). Pure; the clock is given."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from shared.messages.budget_claimed import Beat
from shared.registry.sharing.ledger import NOTHING, Ledger, Record, Share
from shared.registry.sharing.rule import CLOSING_SECONDS, Rule

MARGIN_SECONDS: Final = 0.1
REQUESTS_TTL: Final = 2.0
"""Seconds that a beat lets its sender send requests."""

CONNECTIONS_TTL: Final = 60.0
"""Seconds that a beat lets its sender open connections; longer than that, a stopped process is taken for gone."""


@dataclass(frozen=True)
class Changed:
    """Registries.  told: of which something else was told.  mine: of which this worker's share is another.

    awaited: of which another's share has grown, that waits for this worker to comply.
    """

    told: frozenset[str]
    mine: frozenset[str]
    awaited: frozenset[str]


class Allowance:
    """One worker's view of the log, and what it may use.  clock: monotonic seconds, of this machine alone."""

    def __init__(self, worker: str, clock: Callable[[], float]) -> None:
        self.ledger: Final = Ledger()
        self._worker: Final = worker
        self._clock: Final = clock
        self._requests = Rule(REQUESTS_TTL, 0.0, lapses=True)
        self._connections = Rule(CONNECTIONS_TTL, CLOSING_SECONDS, lapses=False)
        self._sent: Final[dict[int, float]] = {}
        self._confirmed_at = float("-inf")
        self._listening_since = float("-inf")
        self._heard: Final[dict[str, float]] = {}
        self._last: Final[dict[str, dict[str, Share]]] = {}

    def sending(self, number: int) -> None:
        """Told right before a beat of its own is sent."""
        self._sent[number] = self._clock()

    def read(self, position: int, record: Record, at_ms: int = 0) -> Changed:
        """Take the log's next record, and return what it changed."""
        now = self._clock()
        may_send, is_member = self._may_send(record.worker), record.worker in self.ledger.members
        touched = self.ledger.read(position, record, at_ms)
        if isinstance(record, Beat) and self.ledger.members[record.worker] is record:
            self._hear(record, now)
            if record.worker == self._worker:
                self._requests.came(position)
                self._connections.came(position)
        if may_send and not self._may_send(record.worker):
            self._requests.departed(now, position)
        if is_member and record.worker not in self.ledger.members:
            self._connections.departed(now, position)
        for rule in (self._requests, self._connections):
            rule.read(now, position, self.ledger.members)
        before = {registry: self._last.get(registry, {}) for registry in touched}
        for registry in touched:
            self._note(now, registry, position)
        for worker in [worker for worker in self._heard if worker not in self.ledger.members]:
            del self._heard[worker]
        mine = {one for one, shares in before.items() if shares.get(self._worker, NOTHING) != self.share(one)}
        awaited = {one for one, shares in before.items() if self._is_awaited(one, shares)}
        return Changed(touched, frozenset(mine), frozenset(awaited))

    def share(self, registry: str) -> Share:
        """Return this worker's share as of the last record."""
        return self.ledger.share(registry, self._worker)

    def requests(self, registry: str) -> int:
        """Return the requests it may send to a registry in any second that lasts on."""
        return self._usable(self._requests, registry, self.ledger.members.keys() - self.ledger.silent - {self._worker})

    def connections(self, registry: str) -> int:
        """Return how many connections to a registry it may have open."""
        return self._usable(self._connections, registry, self.ledger.members.keys() - {self._worker})

    def complied(self, sent: Mapping[str, int], opened: Mapping[str, int]) -> tuple[int, int]:
        """Return the positions with whose division its requests and its connections comply.

        By registry: sent: requests in the last second.  opened: connections.
        """
        now, position = self._clock(), self.ledger.position
        return self._requests.complied(now, position, sent), self._connections.complied(now, position, opened)

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

    def _usable(self, rule: Rule, registry: str, others: Collection[str]) -> int:
        now = self._clock()
        if now >= self._confirmed_at + rule.ttl - MARGIN_SECONDS:
            return 0
        return rule.usable(now, registry, self.ledger.position, others)

    def _hear(self, beat: Beat, now: float) -> None:
        self._heard[beat.worker] = now
        self._requests.heard(now, beat.worker, beat.seen)
        self._connections.heard(now, beat.worker, beat.settled)
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

    def _may_send(self, worker: str) -> bool:
        return worker in self.ledger.members and worker not in self.ledger.silent

    def _note(self, now: float, registry: str, position: int) -> None:
        shares = self.ledger.shares(registry)
        self._last[registry] = shares
        others = {worker: share for worker, share in shares.items() if worker != self._worker}
        mine = self.share(registry)
        requests = {worker: share.requests for worker, share in others.items()}
        self._requests.note(now, registry, position, mine.requests, requests)
        connections = {worker: share.connections for worker, share in others.items()}
        self._connections.note(now, registry, position, mine.connections, connections)

    def _is_awaited(self, registry: str, before: Mapping[str, Share]) -> bool:
        """Return whether another has more of a registry of which this worker has, or had, some."""
        if self._worker not in before and self.share(registry) == NOTHING:
            return False
        return any(
            share.requests.sends > before.get(worker, NOTHING).requests.sends
            or share.connections.sends > before.get(worker, NOTHING).connections.sends
            for worker, share in self._last[registry].items()
            if worker != self._worker
        )
