"""Turns: how many requests of a registry the stage has under way at once."""

from asyncio import Semaphore
from typing import Final

from shared.messages.connection_changed import Connection


class Turns:
    """As many turns for each registry as it may have connections, over all pages that are worked side by side.

    The registry's client bounds its connections itself, but whoever waits for one there waits against the pool
    timeout: of hundreds of tags sent at a slow registry at once, the last would fail. Here they wait without one.
    """

    def __init__(self) -> None:
        self._by_registry: Final[dict[str, tuple[int, Semaphore]]] = {}

    def of(self, connection: Connection) -> Semaphore:
        """Return the registry's turns; new ones when its number of connections was changed."""
        most, turns = self._by_registry.get(connection.registry, (0, Semaphore()))
        if most != connection.max_connections:
            turns = Semaphore(connection.max_connections)
            self._by_registry[connection.registry] = connection.max_connections, turns
        return turns
