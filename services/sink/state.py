"""A repository's state as it will be once a decision's rows are stored: for the next decision of the same batch."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, TypeVar

from services.sink.decision import Rows
from shared.store.state import RepositoryState


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


R = TypeVar("R", bound=_Versioned)
K = TypeVar("K")


def state_after(state: RepositoryState, rows: Rows) -> RepositoryState:
    """Return the state with these rows merged as the store merges them: a lower version changes nothing."""
    newest = max(rows.repositories, key=lambda row: row.full, default=None)
    after = replace(
        state,
        tags=_merged(state.tags, {row.tag: row for row in rows.tags}),
        images=_merged(state.images, {row.digest: row for row in rows.images}),
        children=_merged(state.children, {(row.index, row.child): row for row in rows.children}),
    )
    if newest is None or newest.full < state.full:
        return after
    return replace(after, full=newest.full, present=newest.present, listed_at=newest.listed_at)


def _merged(old: Mapping[K, R], new: Mapping[K, R]) -> dict[K, R]:
    merged = dict(old)
    for key, row in new.items():
        if key not in merged or row.version >= merged[key].version:
            merged[key] = row
    return merged
