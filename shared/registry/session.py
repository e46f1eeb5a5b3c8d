"""What all that is asked over one connection shares: how requests are sent, and who signs them."""

import random
from dataclasses import dataclass, field, replace

import httpx
from pydantic import SecretStr

from shared.messages.connection_changed import Connection
from shared.registry.answer import host_of
from shared.registry.budget import Budget
from shared.registry.conditional import Condition
from shared.registry.credentials import Credentials, Refusal
from shared.registry.numbers import RegistryNumbers
from shared.registry.retry import RetryPolicy
from shared.registry.sender import Sender
from shared.registry.sign_in import SignIn
from shared.registry.tls import tls_context
from shared.registry.tokens import Tokens
from shared.registry.transport import RegistryTransport


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


def open_session(
    connection: Connection,
    password: SecretStr | None,
    budget: Budget,
    *,
    attempts: int,
    most_pages: int,
    chance: random.Random,
) -> Session:
    """Return a new session of the connection; call it in the event loop.

    attempts: times a request is sent.  chance: spreads the pauses.  Raises PermanentError if its CA is not PEM.
    """
    sender = Sender(
        transport=RegistryTransport(
            _limits(connection), tls_context(connection), budget, RegistryNumbers(connection.name)
        ),
        timeouts=_timeouts(connection),
        budget=budget,
        policy=RetryPolicy(attempts=attempts),
        chance=chance,
    )
    return Session(connection, sender, _credentials(connection, password, budget), most_pages)


def _credentials(connection: Connection, password: SecretStr | None, budget: Budget) -> Credentials | None:
    if not connection.username:
        return None
    revision = connection.revision
    refusal = Refusal(
        host_of(httpx.URL(connection.host)), lambda: budget.is_refused(revision), lambda: budget.refuse(revision)
    )
    return Credentials(connection.username, password or SecretStr(""), refusal)


def _limits(connection: Connection) -> httpx.Limits:
    return httpx.Limits(
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
