"""One record of `connection.changed`: its key, and what its value says."""

import re
from dataclasses import dataclass
from typing import Final

from shared.errors import PermanentError
from shared.messages.codec import REASON_UNREADABLE, decode
from shared.messages.connection_changed import Connection
from shared.messages.connection_notes import KINDS, Note

CONNECTION: Final = "connection/"
_KEY: Final = re.compile(rb"connection/([0-9a-z]{8,32})")
_NOTE: Final = re.compile("({})/([0-9A-Za-z._-]{{1,64}})".format("|".join(KINDS)))


@dataclass(frozen=True)
class Recorded:
    """What the record at `offset` says of a registry; no connection: it was deleted."""

    offset: int
    registry: str
    connection: Connection | None

    @property
    def key(self) -> str:
        return CONNECTION + self.registry

    @property
    def value(self) -> Connection | None:
        return self.connection


@dataclass(frozen=True)
class Noted:
    """What the record at `offset` says of something else; no value: it was taken back."""

    offset: int
    key: str
    value: Note | None


def record_key(registry: str) -> bytes:
    """Return the key of a registry's records: `connection/<registry id>`."""
    return (CONNECTION + registry).encode()


def read_record(key: bytes | None, value: bytes | None, offset: int) -> Recorded | Noted | None:
    """Return what a record says, or None for a record of a kind that is not known here.

    Raises PermanentError (reason `message_unreadable`) for a record of a known kind that is not one.
    """
    if key is None or not key.startswith(CONNECTION.encode()):
        return _read_note(key or b"", value, offset)
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


def written(key: str, value: Connection | Note | None, offset: int) -> Recorded | Noted:
    """Return what was just written as its reader will see it."""
    if key.startswith(CONNECTION):
        assert value is None or isinstance(value, Connection)
        return Recorded(offset, key.removeprefix(CONNECTION), value)
    assert value is None or isinstance(value, Note)
    return Noted(offset, key, value)


def _read_note(key: bytes, value: bytes | None, offset: int) -> Noted | None:
    match = _NOTE.fullmatch(key.decode("ascii", "replace"))
    if match is None:
        return None
    return Noted(offset, match[0], None if value is None else decode(KINDS[match[1]], value, offset))
