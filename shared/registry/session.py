"""What all that is asked over one connection shares: how requests are sent, and who signs them."""

from dataclasses import dataclass, field, replace

import httpx

from shared.messages.connection_changed import Connection
from shared.registry.conditional import Condition
from shared.registry.credentials import Credentials
from shared.registry.sender import Sender
from shared.registry.sign_in import SignIn
from shared.registry.tokens import Tokens


@dataclass(frozen=True)
class Session:
    """One revision of a connection, open.

    credentials: None for a guest.  most_pages: the longest listing believed.
    condition: how it is asked for known tags, found out once for all its parts.
    """

    connection: Connection
    sender: Sender
    credentials: Credentials | None
    most_pages: int
    condition: Condition = field(default_factory=Condition)

    def as_guest(self) -> "Session":
        """Return the same way to the registry without credentials: what anybody is told there."""
        return replace(self, credentials=None)

    def sign_in(self, base: httpx.URL) -> SignIn:
        """Return what signs the requests below this address; it learns from its own challenges alone."""
        tokens = Tokens(self.sender, self.credentials)
        return SignIn(base, self.connection.auth_type, self.credentials, tokens)

    async def close(self) -> None:
        """Close all connections; requests on them fail."""
        await self.sender.transport.aclose()
