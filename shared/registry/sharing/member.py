"""One process as a member: what it tells of its registries, and what each of its budgets is granted."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from shared.messages.budget_claimed import Beat, Claim, Gone, Silent
from shared.messages.connection_changed import Connection
from shared.registry.budget import WindowBudget
from shared.registry.numbers import ShareNumbers
from shared.registry.sharing.allowance import CONNECTIONS_TTL, REQUESTS_TTL, Allowance
from shared.registry.sharing.ledger import Record, Share
from shared.registry.sharing.rule import WINDOW_SECONDS
from shared.registry.sharing.state import RegistryState, state_of

_ASK_SECONDS: Final = 1.0
"""After so long without a beat it is asked whether a process on this machine lives; a beat is due several times."""

_SENT_STEPS: Final = 16
"""In so many steps it is told how what was sent in the last second becomes less."""


class Member:
    """Gives each registry its budget in this process, and takes part in the division.

    stage: the higher, the further downstream.  clock: seconds that go on while the process or the machine is stopped,
    from any beginning.  process: where this runs.  ended: whether a process is known to have
    ended, by where it ran.
    """

    def __init__(
        self, stage: int, clock: Callable[[], float], process: str = "", ended: Callable[[str], bool] = bool
    ) -> None:
        self.needed: Final = asyncio.Event()
        """Set once a registry is to be asked: until then there is nothing to take part in."""

        self.listening: Final = asyncio.Event()
        """Set while what others have told is known."""

        self.urgent: Final = asyncio.Event()
        """Set when others should hear of this process at once."""

        self._stage: Final = stage
        self.clock: Final = clock
        self._process: Final = process
        self._ended: Final = ended
        self._registries: Final[dict[str, _Registry]] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """Come as another worker, that has read nothing: the log is another one."""
        self.listening.clear()
        self._worker = uuid4().hex
        self._number = 0
        self._complied = (-1, -1)
        self._awaited = -1
        self._allowance = Allowance(self._worker, self.clock)

    @property
    def position(self) -> int:
        """The log position that was read, -1 before the first."""
        return self._allowance.ledger.position

    def of(self, connection: Connection) -> WindowBudget:
        """Return the budget that all who ask this registry share, with the limits of the latest revision asked for."""
        self.needed.set()
        known = self._registries.get(connection.registry)
        if known is None:
            known = self._registries[connection.registry] = _Registry(self, connection.registry)
        if connection.revision >= known.revision:
            known.revision = connection.revision
            self._hear(known)
            known.numbers = ShareNumbers(connection.name)
            known.grant.max_rps, known.grant.max_connections = connection.max_rps, connection.max_connections
        return known.budget

    def state(self, connection: Connection) -> RegistryState:
        """Return how a registry stands with all processes, as far as this one has heard."""
        return state_of(connection, self._allowance.ledger.heard_claims(connection.registry).values())

    def beat(self) -> Beat:
        """Return the beat that is sent now."""
        self.urgent.clear()
        for known in self._registries.values():
            known.budget.permits.look_again()
        self._number += 1
        claims = tuple(claim for known in self._registries.values() if (claim := known.claim(self._stage)))
        self._complied = self._complies()
        self._allowance.sending(self._number)
        return Beat(
            worker=self._worker,
            number=self._number,
            seen=self._complied[0],
            settled=self._complied[1],
            process=self._process,
            claims=claims,
        )

    @property
    def has_news(self) -> bool:
        """Whether others wait for what this worker would say now."""
        if any(known.has_news(self._allowance.share(known.registry)) for known in self._registries.values()):
            return True
        if min(self._complied) >= self._awaited:
            return False
        return any(now > then < self._awaited for now, then in zip(self._complies(), self._complied, strict=True))

    def read(self, position: int, record: Record, at_ms: int) -> None:
        """Take the log's next record."""
        changed = self._allowance.read(position, record, at_ms)
        for registry in changed.told & self._registries.keys():
            self._hear(self._registries[registry])
        if changed.awaited:
            self._awaited = position
        if changed.mine or changed.awaited:
            self.urgent.set()
            for registry in changed.mine & self._registries.keys():
                self._registries[registry].budget.permits.look_again()

    def _complies(self) -> tuple[int, int]:
        """Return the log positions with which its requests and its connections comply."""
        known = self._registries.items()
        return self._allowance.complied(
            {registry: one.budget.sent for registry, one in known},
            {registry: one.budget.permits.open for registry, one in known},
        )

    def _hear(self, known: "_Registry") -> None:
        """Hear what others say of a registry."""
        claims = self._allowance.ledger.heard_claims(known.registry)
        broken = sorted(worker for worker, claim in claims.items() if claim.is_broken)
        others = any(worker != self._worker for worker in broken)
        known.budget.breaker.hear(self.clock(), others=others, leads=broken[:1] == [self._worker])
        if any(claim.refused == known.revision for claim in claims.values()):
            known.budget.breaker.refused = known.revision

    def farewells(self) -> list[Silent | Gone]:
        """Return what is to be told of others that were not heard of."""
        gone = {last.worker: last for last in self._allowance.unheard(CONNECTIONS_TTL + WINDOW_SECONDS)}
        gone |= {
            last.worker: last
            for last in self._allowance.unheard(_ASK_SECONDS)
            if last.process and self._ended(last.process)
        }
        silent = [
            last
            for last in self._allowance.unheard(REQUESTS_TTL)
            if last.worker not in gone and last.worker not in self._allowance.ledger.silent
        ]
        return [
            *(Gone(worker=last.worker, number=last.number) for last in gone.values()),
            *(Silent(worker=last.worker, number=last.number) for last in silent),
        ]

    def gone(self) -> Gone | None:
        """Return this worker's own farewell, for when it has closed everything; None where it never beat."""
        return Gone(worker=self._worker, number=self._number) if self._number else None

    def others_want(self, registry: str) -> bool:
        """Return whether another has requests for a registry."""
        claims = self._allowance.ledger.heard_claims(registry)
        return any(claim.requests for worker, claim in claims.items() if worker != self._worker)

    def requests(self, registry: str) -> int:
        return self._allowance.requests(registry)

    def connections(self, registry: str) -> int:
        return self._allowance.connections(registry)


class _Registry:
    """A registry as this process uses it."""

    def __init__(self, member: Member, registry: str) -> None:
        self.revision = 0
        self._member: Final = member
        self._claimed = 0
        self._sent = 0
        self.numbers = ShareNumbers(registry)
        self.registry: Final = registry
        self.grant: Final = _SharedGrant(member, registry)
        self.budget: Final = WindowBudget(
            self.grant,
            member.clock,
            wanted=self._wanted,
            lowered=member.urgent.set,
            others_heard=member.listening.wait,
        )

    def claim(self, stage: int) -> Claim | None:
        """Return what is wanted of it, None where nothing is."""
        requests, connections = self.budget.demand(others_want=self._member.others_want(self.registry))
        max_rps, max_connections = self.budget.max_rps, self.budget.max_connections
        breaker = self.budget.breaker
        self.numbers.tell(self.grant, self.budget.permits.open, breaker.is_broken)
        self._claimed, self._sent = int(min(requests, self.grant.max_rps)), self._sent_at_most()
        is_lowered = max_rps < self.grant.max_rps or max_connections < self.grant.max_connections
        is_told = is_lowered or breaker.is_broken or breaker.refused == self.revision
        if not self._claimed and not self._sent and not connections and not is_told:
            return None  # who wants nothing still tells others what the registry asked for
        return Claim(
            registry=self.registry,
            stage=stage,
            requests=self._claimed,
            sent=self._sent,
            connections=int(min(connections, self.grant.max_connections)),
            max_rps=max_rps,
            max_connections=max_connections,
            is_broken=breaker.is_broken,
            refused=breaker.refused,
        )

    def has_news(self, share: Share) -> bool:
        """Return whether it can give something up that was not told.  share: what it has of the registry."""
        if self._claimed and self.budget.is_idle and self._member.others_want(self.registry):
            return True
        return share.requests.holds > share.requests.sends and self._sent_at_most() < self._sent

    def _sent_at_most(self) -> int:
        """Return a bound of the requests sent in the last second, in steps: small changes change no division."""
        sent, step = self.budget.sent, max(1, self.grant.max_rps // _SENT_STEPS)
        return self._sent if sent and self._sent - step < sent <= self._sent else sent

    def _wanted(self, waiting: int) -> None:
        """Told that so many requests wait."""
        if min(waiting, self.grant.max_rps) > self._claimed:
            self._member.urgent.set()


@dataclass
class _SharedGrant:
    """This process's share of a registry."""

    member: Member
    registry: str
    max_rps: int = 0
    max_connections: int = 0

    def requests(self) -> int:
        return self.member.requests(self.registry)

    def connections(self) -> int:
        return self.member.connections(self.registry)
