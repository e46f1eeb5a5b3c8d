"""The log of beats, folded: the same state for everybody who has read as far. Pure; nobody's clock is in it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from shared.registry.sharing.division import Claimant, divide

TURN_BEATS: Final = 70
"""How long a turn lasts, where there are more workers than requests: in beats of whoever is first. At 0.4 s a beat,
28 s: what a turn's change leaves unused is then a twentieth."""


@dataclass(frozen=True)
class Claim:
    """What a worker wants of a registry at one stage.  limit: of the registry, as the worker knows it."""

    registry: str
    stage: int
    want: int
    limit: int


@dataclass(frozen=True)
class Beat:
    """A worker lives.

    worker: made anew at each start.  number: of its beats, from 1.  seen: the log position it has read.
    claims: all that it wants now; a registry left out it wants nothing of.
    """

    worker: str
    number: int
    seen: int
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Farewell:
    """A worker uses no share any more: it ended, or nobody has heard of it for its time to live.

    number: of its last beat that was known: a later one in the log voids this.
    """

    worker: str
    number: int


@dataclass
class _Shares:
    """A registry's division as of now.  turn: see `divide`.  beats: of the first one, since its turn began."""

    by_worker: dict[str, int] = field(default_factory=dict)
    turn: int = 0
    beats: int = 0


class Ledger:
    """The state of the log up to some position.

    Limits are told with the claims: the smallest counts, so that a lowered limit holds once one has heard of it.
    """

    def __init__(self) -> None:
        self.position = -1
        self.members: Final[dict[str, Beat]] = {}
        """The last beat of each worker."""

        self._registries: Final[dict[str, _Shares]] = {}

    def read(self, position: int, record: Beat | Farewell) -> frozenset[str]:
        """Take the record at this position, and return the registries whose division it may have changed."""
        self.position = position
        if isinstance(record, Farewell):
            return self._bid_farewell(record)
        return self._hear(record)

    def share(self, registry: str, worker: str) -> int:
        """Return a worker's share of a registry."""
        shares = self._registries.get(registry)
        return shares.by_worker.get(worker, 0) if shares else 0

    def shares(self, registry: str) -> dict[str, int]:
        """Return all shares of a registry, by worker."""
        shares = self._registries.get(registry)
        return dict(shares.by_worker) if shares else {}

    def _hear(self, beat: Beat) -> frozenset[str]:
        before = self.members.get(beat.worker)
        if before is not None and beat.number <= before.number:
            return frozenset()  # sent twice by its client
        self.members[beat.worker] = beat
        touched = _registries_of(beat) | (_registries_of(before) if before else frozenset())
        self._take_turns(beat.worker, touched)
        self._divide(touched)
        return touched

    def _bid_farewell(self, farewell: Farewell) -> frozenset[str]:
        last = self.members.get(farewell.worker)
        if last is None or last.number > farewell.number:
            return frozenset()
        del self.members[farewell.worker]
        touched = _registries_of(last)
        self._divide(touched)
        return touched

    def _take_turns(self, worker: str, registries: Iterable[str]) -> None:
        """Count the beats of whoever holds a share while others hold none; after so many it is the next one's turn."""
        for registry in registries:
            shares = self._registries.get(registry)
            if shares and shares.by_worker and worker == min(shares.by_worker):
                shares.beats += 1
                if shares.beats >= TURN_BEATS:
                    shares.turn, shares.beats = shares.turn + 1, 0

    def _divide(self, registries: Iterable[str]) -> None:
        for registry in registries:
            wants: dict[Claimant, int] = {}
            limits = []
            for worker, claim in self._claims(registry):
                wants[Claimant(claim.stage, worker)] = claim.want
                limits.append(claim.limit)
            if not wants:
                self._registries.pop(registry, None)
                continue
            shares = self._registries.setdefault(registry, _Shares())
            shares.by_worker = divide(min(limits), wants, shares.turn)

    def _claims(self, registry: str) -> Iterator[tuple[str, Claim]]:
        for worker, last in self.members.items():
            for claim in last.claims:
                if claim.registry == registry:
                    yield worker, claim


def _registries_of(beat: Beat) -> frozenset[str]:
    return frozenset(claim.registry for claim in beat.claims)
