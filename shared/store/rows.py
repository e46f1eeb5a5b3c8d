"""The rows of the tables, one class each: a field is a column, its type says how it is stored. Nobody changes one.

They are not frozen: thousands are made at once, and a frozen one takes thrice as long.

A `Digest` is kept as its 32 bytes, None as 32 zero bytes. Times are UTC. `version` is a scan's number.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from shared.messages.model import Failure
from shared.oci.digest import Digest


class Row(Protocol):
    """Any of the classes below. TABLE: where its rows lie."""

    TABLE: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(slots=True)
class ImageRow:
    """What a digest is in a repository, and whether it is present; written on change.

    kind: image, index or artifact.  config: None where there is none or it was not told.
    """

    TABLE: ClassVar[str] = "images"

    registry: str
    repository: str
    digest: Digest
    present: bool
    kind: str
    media_type: str
    artifact_type: str
    os: str
    architecture: str
    variant: str
    os_version: str
    size_bytes: int | None
    created: datetime | None
    config: Digest | None
    first_seen: datetime
    changed_at: datetime
    version: int


@dataclass(slots=True)
class TagRow:
    """Where a tag points, or pointed when it was removed."""

    TABLE: ClassVar[str] = "tags"

    registry: str
    repository: str
    tag: str
    digest: Digest
    present: bool
    changed_at: datetime
    version: int


@dataclass(slots=True)
class TagMoveRow:
    """One change of a tag. digest: None = removed.  previous: None = created."""

    TABLE: ClassVar[str] = "tag_history"  # the public view over it is `tag_moves`

    registry: str
    repository: str
    tag: str
    version: int
    moved_at: datetime
    digest: Digest | None
    previous: Digest | None


@dataclass(slots=True)
class IndexChildRow:
    """A member of an index with the platform the index tells; present while a tag reaches the index."""

    TABLE: ClassVar[str] = "index_children"

    registry: str
    repository: str
    index: Digest
    child: Digest
    os: str
    architecture: str
    variant: str
    os_version: str
    present: bool
    version: int


@dataclass(slots=True)
class ConfigRow:
    """What an image config told; read once per digest."""

    TABLE: ClassVar[str] = "configs"

    registry: str
    digest: Digest
    os: str
    architecture: str
    variant: str
    os_version: str
    created: datetime | None


@dataclass(slots=True)
class RepositoryRow:
    """The last decided full listing. full: its scan's number.  listed_at: of the last *complete* one."""

    TABLE: ClassVar[str] = "repositories"

    registry: str
    repository: str
    present: bool
    full: int
    listed_at: datetime | None
    decided_at: datetime


@dataclass(slots=True)
class RegistryRow:
    """A registry's name and host, for SQL, and where its messages lie (slot, shards; 0, 0 where it was deleted).

    version: offset of its record in `connection.changed`.
    """

    TABLE: ClassVar[str] = "registries"

    registry: str
    name: str
    host: str
    deleted: bool
    version: int
    slot: int = 0
    shards: int = 0


@dataclass(slots=True)
class ForgottenRow:
    """A partition has told that nothing of a deleted registry is present any more."""

    TABLE: ClassVar[str] = "forgotten"

    registry: str
    partition: int
    at: datetime


@dataclass(slots=True)
class OutboxRow:
    """A decision with its cause (topic, partition, offset), inserted before its rows. repository "": a scan's end.

    inserted_at: a true time: the row is dropped 30 days after it.
    """

    TABLE: ClassVar[str] = "outbox"

    registry: str
    repository: str
    scan: int
    topic: str
    partition: int
    offset: int
    decision: str
    inserted_at: datetime


@dataclass(slots=True)
class ListingPageRow:
    """A staged page of a reading; of each (registry, repository, reading, leg, page) the lowest offset is kept.

    follows: the leg this one continues, "" on the first.  inserted_at: dropped 7 days after it.
    """

    TABLE: ClassVar[str] = "listing_pages"

    registry: str
    repository: str
    scan: int
    reading: str
    leg: str
    follows: str
    page: int
    last: bool
    offset: int
    body: str
    inserted_at: datetime


@dataclass(slots=True)
class ScanUnitRow:
    """One step of a scan; of each (registry, scan, repository, state, page) the lowest offset is kept.

    state: started, catalog, expected, absent, stored, failed, skipped, held, closed, timeout, cancelled or ended;
    those of the scan as a whole have repository "".  reason: of the request (started), complete or incomplete (closed),
    the status (ended).  kind: of the scan (started, ended).
    """

    TABLE: ClassVar[str] = "scan_units"

    registry: str
    scan: int
    repository: str
    state: str
    offset: int
    at: datetime
    page: int = 0
    reason: str = ""
    request: str = ""
    kind: str = ""
    tags: int = 0
    images: int = 0
    artifacts: int = 0
    discovered: int = 0
    removed: int = 0
    failed: int = 0
    requests: int = 0
    tags_out_of_scope: int = 0
    out_of_scope: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
