"""`scan.progressed`: how far a scan has come; its owner alone ends it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from shared.messages.model import Failure, Message, Moment, Name, ScanContext, ScanReason, Shape


class UnitOutcome(StrEnum):
    """How a unit (scan, repository) came out. `held`: a fuse keeps its removals back."""

    STORED = "stored"
    FAILED = "failed"
    SKIPPED = "skipped"
    HELD = "held"


class ScanStarted(Shape):
    """The lister has taken the request."""

    about: Literal["started"] = "started"
    request: str
    reason: ScanReason
    at: Moment


class CatalogPage(Shape):
    """Names of one catalog page: each is an expected unit.

    last: no page follows.  complete: False when the catalog could not be read to its end.
    proves: with `last` and `complete`, that repositories not named are absent (not so for one-repository scans).
    """

    about: Literal["catalog"] = "catalog"
    page: int
    names: tuple[Name, ...] = ()
    last: bool
    complete: bool = True
    proves: bool = True
    failures: tuple[Failure, ...] = ()
    requests: int = 0


class CatalogClosed(Shape):
    """The owner's answer to the last catalog page. `absent` become expected units.

    held: repositories whose removal a fuse keeps back; they are not among `absent`.
    """

    about: Literal["closed"] = "closed"
    absent: tuple[Name, ...] = ()
    held: tuple[Name, ...] = ()
    complete: bool


class Counts(Shape):
    """What a unit found and changed.  tags_out_of_scope: those that the connection's filters left out."""

    tags: int = 0
    images: int = 0
    artifacts: int = 0
    discovered: int = 0
    removed: int = 0
    failed: int = 0
    requests: int = 0
    tags_out_of_scope: int = 0


class UnitReported(Shape):
    """A unit is done, one way or the other.  out_of_scope: the first of the tags that were left out."""

    about: Literal["unit"] = "unit"
    repository: Name
    outcome: UnitOutcome
    counts: Counts = Counts()
    failures: tuple[Failure, ...] = ()
    out_of_scope: tuple[Name, ...] = ()


class ScanTimedOut(Shape):
    """Nothing of the scan was heard of for the set time; it ends partial and names what is missing."""

    about: Literal["timeout"] = "timeout"
    stalled_seconds: float


class ScanCancelled(Shape):
    """A person wants it no more: it ends at once, and what was completed stays."""

    about: Literal["cancelled"] = "cancelled"
    at: Moment


ScanStatus = Literal["complete", "partial", "held", "failed", "cancelled"]
"""How a scan ended. `held`: a fuse keeps removals back, and a person is to confirm them."""


class ScanEnded(Shape):
    """The owner has ended the scan (sent in the transaction of the decision)."""

    about: Literal["ended"] = "ended"
    status: ScanStatus


Progress = Annotated[
    ScanStarted | CatalogPage | CatalogClosed | UnitReported | ScanTimedOut | ScanCancelled | ScanEnded,
    Field(discriminator="about"),
]


class ScanProgressed(Message):
    """One step of a scan, in the order of its registry's partition."""

    context: ScanContext
    progress: Progress
