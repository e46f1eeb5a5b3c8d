"""A decision as the outbox keeps it: rows to write, changes to tell, the unit's outcome."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field

from shared.messages.model import Failure, Moment, ScanContext, Shape
from shared.messages.scan_progressed import Counts, UnitOutcome
from shared.oci.digest import Digest
from shared.store.rows import ConfigRow, ImageRow, IndexChildRow, RepositoryRow, TagMoveRow, TagRow


class ChangeType(StrEnum):
    """What became different, as the public event types name it."""

    IMAGE_DISCOVERED = "image.discovered"
    IMAGE_REMOVED = "image.removed"
    IMAGE_REAPPEARED = "image.reappeared"
    TAG_CREATED = "tag.created"
    TAG_MOVED = "tag.moved"
    TAG_REMOVED = "tag.removed"


@dataclass(slots=True)  # not frozen: see shared.store.rows
class Change:
    """One change.  digest: what is there now, or what left.  previous: what a tag pointed to before."""

    type: ChangeType
    tag: str | None = None
    digest: Digest | None = None
    previous: Digest | None = None


class Rows(Shape):
    """Rows of a decision. Their order is the order of insertion: what a row needs stands before it."""

    configs: tuple[ConfigRow, ...] = ()
    children: tuple[IndexChildRow, ...] = ()
    images: tuple[ImageRow, ...] = ()
    moves: tuple[TagMoveRow, ...] = ()
    tags: tuple[TagRow, ...] = ()
    repositories: tuple[RepositoryRow, ...] = ()

    def tables(self) -> Iterator[Sequence[Any]]:
        """Yield each table's rows in the order of insertion, the repository's own last."""
        for name in Rows.model_fields:
            yield getattr(self, name)


class RegistryFacts(Shape):
    """A registry as events name it.  host: with its protocol."""

    name: str = ""
    host: str = ""


class Decision(Shape):
    """What a listing led to. Kept in the outbox, with its cause, before its rows are written.

    registry: as it was named then, so that a replay tells the same.
    out_of_scope: the first of the tags that the connection's filters left out.
    snapshot: the registry's first load has not ended: what is seen was there before.
    tags_of: by digest, the tags that reach the image of a change, for the event's reader.
    images_of: by digest of a tag, the images it reaches, where that is not the digest itself alone.
    """

    context: ScanContext
    registry: RegistryFacts = RegistryFacts()
    repository: str
    decided_at: Moment
    outcome: UnitOutcome
    snapshot: bool = False
    rows: Rows = Rows()
    changes: tuple[Change, ...] = ()
    tags_of: dict[Digest, tuple[str, ...]] = Field(default_factory=dict)
    images_of: dict[Digest, tuple[Digest, ...]] = Field(default_factory=dict)
    counts: Counts = Counts()
    out_of_scope: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
