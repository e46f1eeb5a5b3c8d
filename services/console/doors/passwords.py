"""The console's password: made at the first start, kept as an argon2 hash in `connection.changed`."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr

from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.connections.writer import States, write
from shared.messages.connection_notes import PasswordSet

ADMIN: Final = "admin"
_KEY: Final = PasswordSet.key(ADMIN)
_HASHER: Final = PasswordHasher()  # argon2id, RFC 9106's low-memory profile
_WORDS: Final = 5
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without letters that look alike: a person types it."""


def matches(known: PasswordSet | None, password: str) -> bool:
    """Return whether this is the password; it takes some tens of milliseconds, so call it off the event loop."""
    if known is None:
        return False
    try:
        return _HASHER.verify(known.hash, password)
    except (VerificationError, InvalidHashError):
        return False


async def ensure_password(
    topic: ConnectionsTopic, wanted: SecretStr | None, clock: Callable[[], datetime]
) -> str | None:
    """Make the password what is wanted, or make one up where there is none; return it if it was made up.

    wanted: of the settings, None where none is set.  Raises TransientError where Kafka is down.
    """
    made = None if wanted else _made_up()
    password = wanted.get_secret_value() if wanted else made or ""
    was_made = False

    def change(now: ConnectionsSnapshot) -> States:
        nonlocal was_made
        known = now.note(PasswordSet, ADMIN)
        was_made = False
        if known is not None and (wanted is None or matches(known, password)):
            return {_KEY: known}
        was_made = True
        number = known.number + 1 if known else 1
        return {_KEY: PasswordSet(hash=_HASHER.hash(password), number=number, set_at=clock())}

    await write(topic, change)
    return made if was_made else None


def _made_up() -> str:
    """Return a new password of 99 random bits, in groups that can be typed."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(_WORDS))
