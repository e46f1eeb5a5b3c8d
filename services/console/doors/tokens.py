"""API tokens: shown once, kept as a hash, for reading or for everything."""

import hmac
import secrets
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Final

from services.console.doors.principals import Principal
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.connections.writer import States, write
from shared.errors import PermanentError
from shared.messages.connection_notes import Role, TokenMade

PREFIX: Final = "tly_"
"""By which scanners for leaked secrets can tell one."""


class NoSuchToken(PermanentError):  # says what has happened
    """The token never was, or was taken back."""

    def __init__(self, named: str) -> None:
        super().__init__(f"There is no API token {named[:64]}; it may have been taken back.", reason="no_such_token")


class TokenNameTaken(PermanentError):  # says what has happened
    """Another token has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a token named {name} already; choose another name.", reason="token_name_taken")


def principal(now: ConnectionsSnapshot, token: str) -> Principal | None:
    """Return who shows this token, None where it is none of ours."""
    hashed = _hashed(token)
    for made in now.all_notes(TokenMade):
        if hmac.compare_digest(made.hash, hashed):
            return Principal(f"token {made.name}", made.role)
    return None


async def make_token(
    topic: ConnectionsTopic, name: str, role: Role, clock: Callable[[], datetime]
) -> tuple[TokenMade, str, int]:
    """Return what is kept of a new token, the token itself, and its record's offset. Raises TokenNameTaken."""
    token, identity = PREFIX + secrets.token_urlsafe(32), secrets.token_hex(6)
    made = TokenMade(id=identity, name=name, role=role, hash=_hashed(token), made_at=clock())

    def change(now: ConnectionsSnapshot) -> States:
        if any(other.name == name and other.id != identity for other in now.all_notes(TokenMade)):
            raise TokenNameTaken(name)
        return {TokenMade.key(identity): made}

    recorded = await write(topic, change)
    return made, token, recorded[0].offset


async def take_back(topic: ConnectionsTopic, named: str) -> int:
    """Take the token of that id or name back; return its tombstone's offset. Raises NoSuchToken."""

    def change(now: ConnectionsSnapshot) -> States:
        found = next((made for made in now.all_notes(TokenMade) if named in (made.id, made.name)), None)
        if found is None:
            raise NoSuchToken(named)
        return {TokenMade.key(found.id): None}

    return (await write(topic, change))[0].offset


def _hashed(token: str) -> str:
    """Return the token's hash: it holds 256 random bits, so that a fast one is enough."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
