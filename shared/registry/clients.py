"""The dialects of one process: one for each registry, with one budget over all that use it."""

import asyncio
import random
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import SecretStr

from shared.messages.connection_changed import Connection
from shared.registry.budget import WindowBudget
from shared.registry.credentials import Credentials
from shared.registry.dialect import Dialect, open_dialect
from shared.registry.retry import RetryPolicy
from shared.registry.sender import Sender
from shared.registry.session import Session
from shared.registry.tls import tls_context
from shared.registry.transport import RegistryTransport
from shared.settings import Settings


@dataclass
class _Known:
    """The client of a registry as of one revision of its connection; the budget outlives it."""

    revision: int
    client: Dialect
    budget: WindowBudget


class RegistryClients:
    """Gives all stages of a process the same client for the same registry, so that its limits hold over all."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
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
        budget = known.budget if known else WindowBudget(connection.max_rps)
        client = self._make(connection, password, budget)
        budget.change(connection.max_rps)
        if known:
            self._replaced.append(known.client)
        self._known[connection.registry] = _Known(connection.revision, client, budget)
        return client

    async def close(self) -> None:
        """Close all clients ever given."""
        clients = [*self._replaced, *(known.client for known in self._known.values())]
        self._replaced.clear()
        self._known.clear()
        await asyncio.gather(*(client.close() for client in clients))

    def _make(self, connection: Connection, password: SecretStr | None, budget: WindowBudget) -> Dialect:
        sender = Sender(
            transport=RegistryTransport(_limits(connection), tls_context(connection), budget),
            timeouts=_timeouts(connection),
            budget=budget,
            policy=RetryPolicy(attempts=self._settings.attempts),
            chance=self._chance,
        )
        credentials = Credentials(connection.username, password or SecretStr("")) if connection.username else None
        return open_dialect(Session(connection, sender, credentials, self._settings.listing_pages))


def _limits(connection: Connection) -> httpx.Limits:
    return httpx.Limits(
        max_connections=connection.max_connections,
        max_keepalive_connections=connection.max_keepalive_connections,
        keepalive_expiry=connection.keepalive_expiry_seconds,
    )


def _timeouts(connection: Connection) -> httpx.Timeout:
    return httpx.Timeout(
        connect=connection.connect_timeout_seconds,
        pool=connection.pool_timeout_seconds,
        read=connection.read_timeout_seconds,
        write=connection.write_timeout_seconds,
    )
