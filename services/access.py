"""How a loading stage reaches the registry that a message is about: the connection as of the message, and a client."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from pydantic import SecretStr

from shared.messages.connection_changed import Connection
from shared.messages.model import Failure

REASON_DELETED: Final = "connection_deleted"
REASON_INACTIVE: Final = "connection_inactive"

C_co = TypeVar("C_co", covariant=True)


class KnowsConnections(Protocol):
    """The connections as of any offset (`shared.connections.view`)."""

    async def get(self, registry: str, offset: int) -> Connection | None: ...

    def all(self) -> Collection[tuple[Connection, int]]: ...


class DecryptsPasswords(Protocol):
    """What turns a stored password into one to sign in with (`shared.connections.secrets`)."""

    def decrypt(self, encrypted: str) -> SecretStr: ...


class GivesClients(Protocol[C_co]):
    """One client for each registry and process (`shared.registry.clients`)."""

    def of(self, connection: Connection, password: SecretStr | None) -> C_co: ...


@dataclass(frozen=True)
class RegistryAccess(Generic[C_co]):
    """What the stages of one process share to reach registries."""

    connections: KnowsConnections
    secrets: DecryptsPasswords
    clients: GivesClients[C_co]

    async def connection(self, registry: str, offset: int) -> Connection | None:
        """Return the registry's connection as of `offset` or later, None where it was deleted.

        Raises TransientError where the connections cannot be read: the message is tried again.
        """
        return await self.connections.get(registry, offset)

    def connection_now(self, registry: str) -> Connection | None:
        """Return the connection that is known at this moment, without waiting for a newer one."""
        return next((known for known, _ in self.connections.all() if known.registry == registry), None)

    def client(self, connection: Connection) -> C_co:
        """Return the registry's client. Raises PermanentError where the stored password cannot be decrypted."""
        password = self.secrets.decrypt(connection.password) if connection.password else None
        return self.clients.of(connection, password)


def why_skipped(registry: str, connection: Connection | None) -> Failure:
    """Return the reason for which a registry with this connection, deleted or inactive, is not asked anything."""
    if connection is None:
        return Failure(
            what=registry, reason=REASON_DELETED, detail="The registry's connection was deleted after this was asked."
        )
    return Failure(
        what=connection.name,
        reason=REASON_INACTIVE,
        detail="The connection is inactive: activate it to load the registry.",
    )
