"""What the store says of one repository: the half of a decision that is not the observation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.oci.digest import Digest
from shared.store.rows import ImageRow, IndexChildRow, TagRow


@dataclass(frozen=True, slots=True)
class RepositoryState:
    """Newest row of everything ever seen in a repository, rows of what is gone (present = False) included.

    full: number of the last decided full listing, 0 = never.  listed_at: of the last complete one.
    children: by (index, child).
    """

    full: int = 0
    present: bool = False
    listed_at: datetime | None = None
    tags: Mapping[str, TagRow] = field(default_factory=dict)
    images: Mapping[Digest, ImageRow] = field(default_factory=dict)
    children: Mapping[tuple[Digest, Digest], IndexChildRow] = field(default_factory=dict)
