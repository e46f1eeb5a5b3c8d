"""How a loading stage reaches the registry that a message is about: the connection as of the message, and a client."""

from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from pydantic import SecretStr

from shared.connections.snapshot import ConnectionsSnapshot
from shared.errors import PermanentError
from shared.messages.connection_changed import Connection
from shared.messages.model import Failure

REASON_DELETED: Final = "connection_deleted"
REASON_INACTIVE: Final = "connection_inactive"
REASON_CANCELLED: Final = "scan_cancelled"

C_co = TypeVar("C_co", covariant=True)


class KnowsConnections(Protocol):
    """The connections as of any offset (`shared.connections.view`)."""

    async def get(self, registry: str, offset: int) -> Connection | None: ...

    def now(self) -> ConnectionsSnapshot: ...


class DecryptsPasswords(Protocol):
    """What turns a stored password into one to sign in with (`shared.connections.secrets`)."""

    def decrypt(self, encrypted: str) -> SecretStr: ...


class GivesClients(Protocol[C_co]):
    """One client for each registry and process (`shared.registry.clients`)."""

    def of(self, connection: Connection, password: SecretStr | None) -> C_co: ...


class PassedOver(PermanentError):  # says what has happened
    """The registry was deleted or made inactive, or the scan cancelled, while a message of it was worked."""

    def __init__(self, why: Failure) -> None:
        super().__init__(why.detail, reason=why.reason)
        self.why: Final = why


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
        return self.connections.now().connection(registry)

    def check_wanted(self, registry: str, scan: int) -> None:
        """Raise PassedOver once the registry is not to be asked any more for this scan."""
        found = usable(registry, self.connection_now(registry), scan)
        if isinstance(found, Failure):
            raise PassedOver(found)

    def client(self, connection: Connection) -> C_co:
        """Return the registry's client. Raises PermanentError where the stored password cannot be decrypted."""
        password = self.secrets.decrypt(connection.password) if connection.password else None
        return self.clients.of(connection, password)


def usable(registry: str, connection: Connection | None, scan: int) -> Connection | Failure:
    """Return the connection, or why a message of this scan is passed over: deleted, inactive, or cancelled."""
    if connection is None:
        return Failure(
            what=registry, reason=REASON_DELETED, detail="The registry's connection was deleted after this was asked."
        )
    if not connection.is_active:
        return Failure(
            what=connection.name,
            reason=REASON_INACTIVE,
            detail="The connection is inactive: activate it to load the registry.",
        )
    if scan in connection.cancelled:
        return Failure(what=connection.name, reason=REASON_CANCELLED, detail="The scan was cancelled by a person.")
    return connection
