"""Places for requests: how many at once, and which of them on a connection that is kept.

Of each host at most `max_kept` requests run on kept connections; the others open a connection of their own and
close it. Kept connections exist only where such requests ran, so no more than `max_kept` are ever idle, and open
ones never pass `max_connections`: a request goes beyond the kept ones only while all of them are in use.
"""

import asyncio
from collections import Counter
from typing import Final


class Pool:
    """max_connections: requests at once, over all hosts.  max_kept: of one host, on kept connections."""

    def __init__(self, max_connections: int, max_kept: int) -> None:
        self._free: Final = asyncio.Semaphore(max_connections)
        self._max_kept: Final = max_kept
        self._kept: Final[Counter[bytes]] = Counter()

    async def enter(self, host: bytes) -> "Place":
        """Return a place, first come first served."""
        await self._free.acquire()
        kept = self._kept[host] < self._max_kept
        self._kept[host] += kept
        return Place(self, host, kept)

    def leave(self, place: "Place") -> None:
        """Take a place back."""
        self._kept[place.host] -= place.kept
        if not self._kept[place.host]:
            del self._kept[place.host]
        self._free.release()


class Place:
    """A request's place.  kept: use a connection that is kept afterwards."""

    def __init__(self, pool: Pool, host: bytes, kept: bool) -> None:
        self._pool: Pool | None = pool
        self.host: Final = host
        self.kept: Final = kept

    def leave(self) -> None:
        """Give the place back; a second time does nothing."""
        pool, self._pool = self._pool, None
        if pool:
            pool.leave(self)
