"""A misbehaving registry, and clients with settings of a test's own."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from shared.messages.connection_changed import Connection
from shared.registry.client import RegistryClient
from shared.registry.clients import OwnBudgets, RegistryClients
from shared.registry.dialects.v2 import V2
from shared.settings import Settings
from tests.fakes.hostile_registry import HostileRegistry, hostile_registry

MakeClient = Callable[..., RegistryClient]


def connection_to(host: str, **fields: Any) -> Connection:
    """Return a connection to `host`, fast unless told otherwise."""
    defaults: dict[str, Any] = {"registry": "a1b2c3d4", "slot": 0, "name": "test", "type": "v2", "max_rps": 1000}
    return Connection(host=host, **{**defaults, **fields})


@pytest.fixture
async def hostile() -> AsyncIterator[HostileRegistry]:
    async with hostile_registry() as registry:
        yield registry


@pytest.fixture
async def make_client() -> AsyncIterator[MakeClient]:
    """Make clients: host, password, and the connection's fields; each call replaces the one before."""
    clients = RegistryClients(Settings(attempts=2, listing_pages=20), OwnBudgets())
    revision = 0

    def make(host: str, password: str | None = None, **fields: Any) -> RegistryClient:
        nonlocal revision
        revision += 1
        connection = connection_to(host, revision=revision, **fields)
        made = clients.of(connection, SecretStr(password) if password else None)
        assert isinstance(made, V2)
        return made.client

    yield make
    await clients.close()
