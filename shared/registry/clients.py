"""The dialects of one process: one for each registry, with one budget over all that use it."""

import asyncio
import random
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from shared.messages.connection_changed import Connection
from shared.registry.budget import WindowBudget
from shared.registry.dialect import Dialect, open_dialect
from shared.registry.session import open_session
from shared.settings import Settings


@dataclass
class _Known:
    """The client of a registry as of one revision of its connection."""

    revision: int
    client: Dialect


class RegistryClients:
    """Gives all stages of a process the same client for the same registry, so that its limits hold over all."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._known: Final[dict[str, _Known]] = {}
        self._budgets: Final[dict[str, WindowBudget]] = {}
        self._replaced: Final[list[Dialect]] = []
        self._chance: Final = random.Random()  # noqa: S311  # spreads retries; nothing to guess

    def of(self, connection: Connection, password: SecretStr | None) -> Dialect:
        """Return the client for the connection, or that of a later revision if one was asked for before.

        A client that is replaced goes on for who still holds it, and is closed by `close`. Call it in the event loop.
        Raises PermanentError if the connection's CA is not PEM.
        """
        known = self._known.get(connection.registry)
        if known and known.revision >= connection.revision:
            return known.client
        budget = self.budget_of(connection)
        client = self._make(connection, password, budget)
        budget.change(connection.max_rps)
        if known:
            self._replaced.append(known.client)
        self._known[connection.registry] = _Known(connection.revision, client)
        return client

    def budget_of(self, connection: Connection) -> WindowBudget:
        """Return the budget that all who ask this registry share."""
        return self._budgets.setdefault(connection.registry, WindowBudget(connection.max_rps))

    async def close(self) -> None:
        """Close all clients ever given."""
        clients = [*self._replaced, *(known.client for known in self._known.values())]
        self._replaced.clear()
        self._known.clear()
        await asyncio.gather(*(client.close() for client in clients))

    def _make(self, connection: Connection, password: SecretStr | None, budget: WindowBudget) -> Dialect:
        session = open_session(
            connection,
            password,
            budget,
            attempts=self._settings.attempts,
            most_pages=self._settings.listing_pages,
            chance=self._chance,
        )
        return open_dialect(session)
