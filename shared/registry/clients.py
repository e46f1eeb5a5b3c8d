"""The dialects of one process: one for each registry, within one budget over all that use it."""

import asyncio
import random
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import SecretStr

from shared.messages.connection_changed import Connection
from shared.registry.budget import Budget, WindowBudget
from shared.registry.dialect import Dialect, open_dialect
from shared.registry.grant import FixedGrant
from shared.registry.session import open_session
from shared.settings import Settings


class Budgets(Protocol):
    """Gives each registry one budget, whoever asks (`shared.registry.sharing.member`)."""

    def of(self, connection: Connection) -> Budget:
        """Return the registry's budget, its limits those of the latest revision that was asked for."""


class OwnBudgets:
    """The budgets of a process that shares its registries with no other."""

    def __init__(self) -> None:
        self._known: Final[dict[str, tuple[WindowBudget, FixedGrant]]] = {}

    def of(self, connection: Connection) -> Budget:
        if connection.registry not in self._known:
            grant = FixedGrant(connection.max_rps, connection.max_connections)
            self._known[connection.registry] = WindowBudget(grant), grant
        budget, grant = self._known[connection.registry]
        grant.max_rps, grant.max_connections = connection.max_rps, connection.max_connections
        return budget


@dataclass
class _Known:
    """The client of a registry as of one revision of its connection."""

    revision: int
    client: Dialect


class RegistryClients:
    """Gives all stages of a process the same client for the same registry, so that its limits hold over all."""

    def __init__(self, settings: Settings, budgets: Budgets) -> None:
        self._settings: Final = settings
        self._budgets: Final = budgets
        self._known: Final[dict[str, _Known]] = {}
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
        client = self._make(connection, password, self._budgets.of(connection))
        if known:
            self._replaced.append(known.client)
        self._known[connection.registry] = _Known(connection.revision, client)
        return client

    async def close(self) -> None:
        """Close all clients ever given."""
        clients = [*self._replaced, *(known.client for known in self._known.values())]
        self._replaced.clear()
        self._known.clear()
        await asyncio.gather(*(client.close() for client in clients))

    def _make(self, connection: Connection, password: SecretStr | None, budget: Budget) -> Dialect:
        session = open_session(
            connection,
            password,
            budget,
            attempts=self._settings.attempts,
            most_pages=self._settings.listing_pages,
            chance=self._chance,
        )
        return open_dialect(session)
