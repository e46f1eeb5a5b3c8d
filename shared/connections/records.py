"""One record of `connection.changed`: its key, and what its value says."""

import re
from dataclasses import dataclass
from typing import Final

from shared.errors import PermanentError
from shared.messages.codec import REASON_UNREADABLE, decode
from shared.messages.connection_changed import Connection

_PREFIX: Final = "connection/"
_KEY: Final = re.compile(rb"connection/([0-9a-z]{8,32})")


@dataclass(frozen=True)
class Recorded:
    """What the record at `offset` says of a registry; no connection: it was deleted."""

    offset: int
    registry: str
    connection: Connection | None


def record_key(registry: str) -> bytes:
    """Return the key of a registry's records: `connection/<registry id>`."""
    return (_PREFIX + registry).encode()


def read_record(key: bytes | None, value: bytes | None, offset: int) -> Recorded | None:
    """Return what a record says, or None for a record of another kind.

    Raises PermanentError (reason `message_unreadable`) for a connection's record that is not one.
    """
    if key is None or not key.startswith(_PREFIX.encode()):
        return None
    match = _KEY.fullmatch(key)
    if match is None:
        raise PermanentError("The record's key holds no registry id.", reason=REASON_UNREADABLE)
    registry = match[1].decode()
    if value is None:
        return Recorded(offset, registry, None)
    connection = decode(Connection, value, offset)
    if connection.registry != registry:
        raise PermanentError("The record's key and value name two registries.", reason=REASON_UNREADABLE)
    return Recorded(offset, registry, connection)
