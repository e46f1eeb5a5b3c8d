"""Which names a full scan reads: the catalog's, or those of the connection's own list. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from shared.errors import PermanentError
from shared.messages.connection_changed import Connection
from shared.registry.dialect import RepositoriesPage

REASON_FILTERED: Final = "filtered"
REASON_SOURCE_CHANGED: Final = "source_changed"

LISTED_NAMES: Final = 100
"""Names of the connection's own list that are given at a time."""

_LIST_CURSOR: Final = "list:"


def listed_names(repositories: Sequence[str], cursor: str | None) -> Iterator[RepositoriesPage]:
    """Yield the names of the connection's own list from the cursor on, a few at a time."""
    first = int(cursor.removeprefix(_LIST_CURSOR)) if cursor else 0
    for start in range(first, len(repositories), LISTED_NAMES):
        end = start + LISTED_NAMES
        after = f"{_LIST_CURSOR}{end}" if end < len(repositories) else None
        yield RepositoriesPage(names=tuple(repositories[start:end]), cursor=after)


def check_source(connection: Connection, cursor: str | None) -> None:
    """Raise PermanentError where the cursor is of the other source: of the catalog for a list, or the other way round.

    Then the connection was edited in the middle of a scan, and what one source began the other cannot end: it would
    pass for a complete catalog and prove repositories absent.
    """
    if cursor is not None and cursor.startswith(_LIST_CURSOR) != bool(connection.repositories):
        raise PermanentError(
            "The connection's list of repositories was set or emptied while the registry was loaded: load it again.",
            reason=REASON_SOURCE_CHANGED,
        )
