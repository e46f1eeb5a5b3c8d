"""`connection.changed`: a registry's connection, as every service follows it. A null value is a tombstone."""

from typing import Final

from pydantic import Field, model_validator

from shared.messages.connection_fields import PASSWORD, ConnectionFields, contradiction
from shared.messages.model import Message, RegistryId

CANCELLED_KEPT: Final = 50
"""Numbers of cancelled scans that a record holds: their messages have long passed when as many more came."""


class Connection(ConnectionFields, Message):
    """A connection to one registry.

    registry: its random id.  revision: raised by every edit.  slot, shards: where its messages lie, fixed.
    scan_base: what a scan's number starts from.  password: encrypted, never in the clear (shared.connections.secrets).
    cancelled: numbers of scans whose messages are passed over; no edit, the revision stays.
    """

    registry: RegistryId
    revision: int = Field(1, ge=1)
    slot: int = Field(ge=0)
    scan_base: int = Field(1, ge=1)
    cancelled: tuple[int, ...] = ()
    password: str | None = Field(None, **PASSWORD)

    @model_validator(mode="after")
    def _fits_together(self) -> "Connection":
        if wrong := contradiction(self):
            raise wrong
        return self
