"""How a registry stands with all that ask it, for people and for metrics."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from shared.messages.budget_claimed import Claim
from shared.messages.connection_changed import Connection


class Standing(StrEnum):
    """idle: nobody wants anything of it.  broken: the breaker is open.  refused: the sign-in was rejected."""

    IDLE = "idle"
    FULL = "full"
    LOWERED = "lowered"
    PAUSED = "paused"
    BROKEN = "broken"
    REFUSED = "refused"


@dataclass(frozen=True)
class RegistryState:
    """max_rps, max_connections: what all together may use now.  processes: that want something of it."""

    standing: Standing
    max_rps: int
    max_connections: int
    processes: int

    @property
    def told(self) -> str:
        """What a person is told."""
        match self.standing:
            case Standing.IDLE:
                return "Nothing is asked of it at the moment."
            case Standing.FULL:
                return f"Up to {self.max_rps} requests a second on {self.max_connections} connections."
            case Standing.LOWERED:
                return (
                    f"It asked for less, or became slow: {self.max_rps} requests a second on {self.max_connections} "
                    "connections now, slowly more."
                )
            case Standing.PAUSED:
                return "It asked for a pause: nothing is sent until that is over."
            case Standing.BROKEN:
                return "It does not answer: one request at a time tries, and the rest waits or fails."
            case Standing.REFUSED:
                return (
                    "It rejected the sign-in: nothing is asked until the connection is saved again, or tried by hand."
                )


def state_of(connection: Connection, claims: Collection[Claim]) -> RegistryState:
    """Return a registry's state.  claims: of all that are heard of."""
    max_rps = min((claim.max_rps for claim in claims), default=connection.max_rps)
    max_connections = min((claim.max_connections for claim in claims), default=connection.max_connections)
    return RegistryState(_standing(connection, claims, max_rps, max_connections), max_rps, max_connections, len(claims))


def _standing(connection: Connection, claims: Collection[Claim], max_rps: int, max_connections: int) -> Standing:
    if any(claim.refused == connection.revision for claim in claims):
        return Standing.REFUSED
    if any(claim.is_broken for claim in claims):
        return Standing.BROKEN
    if max_rps == 0:
        return Standing.PAUSED
    if max_rps < connection.max_rps or max_connections < connection.max_connections:
        return Standing.LOWERED
    return Standing.FULL if claims else Standing.IDLE
