"""What all messages have in common: a version, a scan, and how they are ordered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

RegistryId = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{8,32}$")]
"""Random, made when the connection is created, never used again."""


TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""Source: W3C Trace Context, trace-id."""

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]+$"


class _Printable:
    """A string without control characters; checked without calls from pydantic, since messages are full of names."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        printable = core_schema.custom_error_schema(
            core_schema.str_schema(pattern=_PRINTABLE),
            custom_error_type="name_unprintable",
            custom_error_message="a name holds a control character",
        )
        return core_schema.chain_schema([handler(source), printable])


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1024),
    _Printable(),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 1024, "pattern": _PRINTABLE}),
]
"""A repository's or tag's name as the registry gave it."""


class ScanKind(StrEnum):
    """How much a scan reads."""

    FULL = "full"
    REPOSITORY = "repository"
    TAG = "tag"


class ScanReason(StrEnum):
    """Who asked for a scan."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"


class Shape(BaseModel):
    """Base of everything on the wire: frozen; unknown fields are left out and break nothing."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ScanContext(Shape):
    """What every message of a scan carries, fixed for the scan's life.

    scan: the scan's number (the connection's scan_base + offset of its request); orders a registry's scans.
    connection: offset in `connection.changed`; a stage whose view is older waits for it.
    slot, shards, partitions: where the registry's messages lie; see shared.pipeline.partitioning.
    confirmed: a person let removals through: the fuses are off.
    trace: the trace that all its messages belong to; None for a scan that is only known from the store.
    """

    registry: RegistryId
    scan: int = Field(ge=0)
    kind: ScanKind = ScanKind.FULL
    reason: ScanReason = ScanReason.MANUAL
    connection: int = Field(ge=0)
    slot: int = Field(ge=0)
    shards: int = Field(ge=1)
    partitions: int = Field(ge=1)
    confirmed: bool = False
    trace: TraceId | None = None


class Message(Shape):
    """A message of the chain."""

    version: Literal[1] = 1

    def received_at(self, offset: int) -> Self:
        """Return the message as its receiver sees it; only `ScanRequested` takes its number from the log."""
        return self


def context_of(message: Message) -> ScanContext | None:
    """Return the scan that a message is part of; None for a request, that has no number yet, and outside of scans."""
    context = getattr(message, "context", None)
    return context if isinstance(context, ScanContext) else None


class Failure(Shape):
    """Something that was not read, and why."""

    what: str
    reason: str
    detail: str = ""


class Reading(Shape):
    """Where a page lies in one pass over a repository's tags.

    id: of the reading, made at page 0.  leg: of this working of a message, made anew each time.
    follows: the leg whose continuation this leg is, None on the first.  page: from 0.  last: closes it.
    """

    id: str
    leg: str
    follows: str | None = None
    page: int = Field(ge=0)
    last: bool


Moment = datetime
"""A time for people, UTC. No decision reads it."""
