"""What a process may use of a registry now: the seam between a budget and who grants it."""

from dataclasses import dataclass
from typing import Protocol


class Grant(Protocol):
    """What is granted; asked at each use, since it may end at any moment.

    max_rps, max_connections: the registry's limits as a whole.
    """

    @property
    def max_rps(self) -> int: ...

    @property
    def max_connections(self) -> int: ...

    def requests(self) -> int:
        """Return how many requests may be sent in any one second."""

    def connections(self) -> int:
        """Return how many connections may be open."""


@dataclass
class FixedGrant:
    """The registry's limits as a whole: where one process uses them alone."""

    max_rps: int
    max_connections: int = 1000

    def requests(self) -> int:
        return self.max_rps

    def connections(self) -> int:
        return self.max_connections
