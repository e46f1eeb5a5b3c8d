"""The log of beats, folded: the same state for everybody who has read as far. Pure; nobody's clock is in it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.messages.budget_claimed import Beat, Claim, Gone, Silent
from shared.registry.sharing.division import Claimant, Part, divide, hand_over

Record = Beat | Silent | Gone

TURN_MS: Final = 60_000
"""How long a turn lasts where there are more workers than requests, in the log's own time (Kafka's stamp on each
record, the same for all who read it). What a turn's change leaves unused, about 1.5 s, is a fortieth of it."""


NO_PART: Final = Part(0, 0)


@dataclass(frozen=True)
class Share:
    """Of one registry.  requests: in any second.  connections: open at once, `holds` and `sends` alike."""

    requests: Part = NO_PART
    connections: Part = NO_PART


NOTHING: Final = Share()


class Ledger:
    """The state of the log up to some position.

    Limits are told with the claims: the smallest counts, so that a lowered limit holds once one has heard of it.
    Who may have no connection gets no requests either.
    """

    def __init__(self) -> None:
        self.position = -1
        self.members: Final[dict[str, Beat]] = {}
        """The last beat of each worker that is not gone."""

        self.silent: Final[set[str]] = set()
        """Those members that send nothing: they only hold their connections."""

        self._turn = 0
        self._claims: Final[defaultdict[str, dict[str, Claim]]] = defaultdict(dict)
        self._shares: Final[dict[str, dict[str, Share]]] = {}

    def read(self, position: int, record: Record, at_ms: int = 0) -> frozenset[str]:
        """Take the record at this position, and return the registries whose division it may have changed.

        at_ms: the log's time of the record.
        """
        self.position = position
        touched = self._take(record)
        turn = at_ms // TURN_MS
        if turn != self._turn:
            self._turn = turn
            touched |= self._claims.keys()
        self._divide(touched)
        return frozenset(touched)

    def share(self, registry: str, worker: str) -> Share:
        """Return a worker's share of a registry."""
        return self._shares.get(registry, {}).get(worker, NOTHING)

    def shares(self, registry: str) -> dict[str, Share]:
        """Return all shares of a registry, by worker."""
        return dict(self._shares.get(registry, {}))

    def heard_claims(self, registry: str) -> dict[str, Claim]:
        """Return the claims of those that are heard of, by worker."""
        claims = self._claims.get(registry, {})
        return {worker: claim for worker, claim in claims.items() if worker not in self.silent}

    def _take(self, record: Record) -> set[str]:
        last = self.members.get(record.worker)
        if isinstance(record, Beat):
            return set() if last and record.number <= last.number else self._hear(record, last)
        if last is None or last.number > record.number:
            return set()  # void: it was heard of since
        touched = {claim.registry for claim in last.claims}
        if isinstance(record, Silent):
            self.silent.add(record.worker)
            return touched
        self.silent.discard(record.worker)
        del self.members[record.worker]
        for registry in touched:
            del self._claims[registry][record.worker]
        return touched

    def _hear(self, beat: Beat, before: Beat | None) -> set[str]:
        self.members[beat.worker] = beat
        old = {claim.registry: claim for claim in before.claims} if before else {}
        new = {claim.registry: claim for claim in beat.claims}
        touched = {registry for registry in old.keys() | new.keys() if old.get(registry) != new.get(registry)}
        for registry in touched:
            if registry in new:
                self._claims[registry][beat.worker] = new[registry]
            else:
                del self._claims[registry][beat.worker]
        if beat.worker in self.silent:
            self.silent.discard(beat.worker)
            touched |= new.keys()
        return touched

    def _divide(self, registries: Iterable[str]) -> None:
        for registry in list(registries):
            claims = self._claims[registry]
            if not claims:
                del self._claims[registry]
                self._shares.pop(registry, None)
                continue
            most = min(claim.max_connections for claim in claims.values())
            wanted = {Claimant(claim.stage, worker): claim.connections for worker, claim in claims.items()}
            connections = divide(most, wanted, self._turn)
            asked = {
                Claimant(claim.stage, worker): claim.requests
                for worker, claim in claims.items()
                if connections.get(worker) and worker not in self.silent
            }
            sent = {worker: claim.sent for worker, claim in claims.items() if claim.sent and worker not in self.silent}
            requests = hand_over(_requests_limit(claims, self.silent), asked, sent, self._turn)
            self._shares[registry] = {
                worker: Share(requests.get(worker, NO_PART), _whole(connections.get(worker, 0)))
                for worker in connections.keys() | requests.keys()
            }


def _requests_limit(claims: dict[str, Claim], silent: set[str]) -> int:
    return min((claim.max_rps for worker, claim in claims.items() if worker not in silent), default=0)


def _whole(amount: int) -> Part:
    return Part(amount, amount)
