"""A store held in memory, as the sink sees it: rows merge as the tables merge them, and every call can be cut short.

`pause` is awaited wherever a real call could be interrupted: before it takes effect, and after.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Final

from shared.store.rows import (
    ConfigRow,
    ImageRow,
    IndexChildRow,
    ListingPageRow,
    OutboxRow,
    RegistryRow,
    RepositoryRow,
    Row,
    ScanUnitRow,
    TagMoveRow,
    TagRow,
)
from shared.store.state import RepositoryState

Pause = Callable[[str], Awaitable[None]]
Repository = tuple[str, str]

LATEST: Final = 0
"""Rank of rows of which the last inserted stays."""


@dataclass(frozen=True)
class _Merge:
    """How a table's rows merge. group: what is read together.  key: within the group.  rank: the highest stays."""

    group: Callable[[Any], Any]
    key: Callable[[Any], Hashable]
    rank: Callable[[Any], int]


def _latest(row: object) -> int:
    return LATEST


def _lowest_offset(row: ListingPageRow | ScanUnitRow) -> int:
    return -row.offset


_REPOSITORY: Final = attrgetter("registry", "repository")
_VERSION: Final = attrgetter("version")

_MERGES: Final[Mapping[type, _Merge]] = {
    TagRow: _Merge(_REPOSITORY, attrgetter("tag"), _VERSION),
    ImageRow: _Merge(_REPOSITORY, attrgetter("digest"), _VERSION),
    IndexChildRow: _Merge(_REPOSITORY, attrgetter("index", "child"), _VERSION),
    RepositoryRow: _Merge(_REPOSITORY, _latest, attrgetter("full")),
    TagMoveRow: _Merge(_REPOSITORY, attrgetter("tag", "version"), _latest),
    ConfigRow: _Merge(attrgetter("registry"), attrgetter("digest"), _latest),
    RegistryRow: _Merge(attrgetter("registry"), attrgetter("deleted"), _VERSION),
    OutboxRow: _Merge(_REPOSITORY, attrgetter("scan"), _latest),
    ListingPageRow: _Merge(attrgetter("registry", "repository", "reading"), attrgetter("leg", "page"), _lowest_offset),
    ScanUnitRow: _Merge(attrgetter("registry", "scan"), attrgetter("repository", "state", "page"), _lowest_offset),
}


@dataclass
class Tables:
    """What is stored: class of row → group → key → row.

    inserted: rows by class, those that changed nothing too.  heads: the staged pages without their bodies.
    """

    rows: dict[type, dict[Any, dict[Any, Any]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(dict)))
    inserted: dict[type, int] = field(default_factory=lambda: defaultdict(int))
    heads: dict[Any, dict[Any, ListingPageRow]] = field(default_factory=lambda: defaultdict(dict))

    def merge(self, row: Any) -> None:
        """Take a row: of two with one key the higher rank stays, of equal ones the later."""
        rule = _MERGES[type(row)]
        kept, key = self.rows[type(row)][rule.group(row)], rule.key(row)
        if key not in kept or rule.rank(row) >= rule.rank(kept[key]):
            kept[key] = row
            if isinstance(row, ListingPageRow):
                self.heads[rule.group(row)][key] = replace(row, body="")
        self.inserted[type(row)] += 1

    def of(self, row: type, group: Hashable) -> dict[Any, Any]:
        """Return what is stored of a group, by key."""
        found = self.rows[row].get(group)
        return dict(found) if found else {}

    def groups(self, row: type) -> list[Any]:
        """Return the groups that have rows."""
        return sorted(self.rows[row])

    def expire(self, registry: str, repository: str, scan: int) -> None:
        """Drop a decision, as the outbox does with old ones."""
        self.rows[OutboxRow][registry, repository].pop(scan, None)


async def at_once(step: str) -> None:
    """No pause."""


class FakeSinkStore:
    """One client of the tables.  order: puts the parts of a torn read in the order in which they happen."""

    def __init__(
        self,
        tables: Tables | None = None,
        pause: Pause = at_once,
        order: Callable[[list[type]], list[type]] = list,
    ) -> None:
        self.tables = tables or Tables()
        self.pause = pause
        self._order = order

    async def insert(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        assert len({type(row) for row in rows}) == 1, "an insert goes to one table"
        await self.pause("insert")
        for row in rows:
            self.tables.merge(row)
        await self.pause("inserted")

    async def repository_states(self, keys: Collection[Repository]) -> Mapping[Repository, RepositoryState]:
        """Read four tables, one after another: what others write meanwhile is in some and not in others."""
        found: dict[type, dict[Repository, dict[Any, Any]]] = {}
        for row in self._order([RepositoryRow, TagRow, ImageRow, IndexChildRow]):
            await self.pause("state")
            found[row] = {key: self.tables.of(row, key) for key in keys}
        return {key: _state({row: by_key[key] for row, by_key in found.items()}) for key in keys}

    async def decisions(self, keys: Collection[tuple[str, str, int]]) -> Mapping[tuple[str, str, int], OutboxRow]:
        await self.pause("decisions")
        by_key = {key: self.tables.of(OutboxRow, key[:2]).get(key[2]) for key in keys}
        return {key: row for key, row in by_key.items() if row is not None}

    async def listing_pages(self, readings: Collection[tuple[str, str, str]], bodies: bool) -> Sequence[ListingPageRow]:
        await self.pause("pages")
        found = self.tables.rows[ListingPageRow] if bodies else self.tables.heads
        return [page for reading in sorted(readings) for page in found.get(reading, {}).values()]

    async def scan_units(self, registry: str, scan: int) -> Sequence[ScanUnitRow]:
        await self.pause("units")
        return list(self.tables.of(ScanUnitRow, (registry, scan)).values())

    async def known_repositories(self, registry: str) -> Collection[str]:
        await self.pause("repositories")
        return {
            repository
            for row in (RepositoryRow, TagRow, ImageRow)
            for owner, repository in self.tables.groups(row)
            if owner == registry and any(found.present for found in self.tables.of(row, (owner, repository)).values())
        }

    async def pages_stored(self, registry: str, scan: int) -> int:
        await self.pause("stored")
        pages = (page for of in self.tables.rows[ListingPageRow].values() for page in of.values())
        return sum((page.registry, page.scan) == (registry, scan) for page in pages)

    async def first_load(self, registry: str) -> int | None:
        await self.pause("first load")
        ended = [
            scan
            for owner, scan in self._scans()
            if owner == registry
            for row in self.tables.of(ScanUnitRow, (owner, scan)).values()
            if row.state == "ended" and row.kind == "full" and row.reason not in ("failed", "cancelled")
        ]
        return min(ended, default=None)

    async def unfinished_scans(self) -> Collection[tuple[str, int]]:
        await self.pause("unfinished")
        states = {scan: {row.state for row in self.tables.of(ScanUnitRow, scan).values()} for scan in self._scans()}
        return [scan for scan, told in states.items() if "started" in told and "ended" not in told]

    def _scans(self) -> list[tuple[str, int]]:
        return self.tables.groups(ScanUnitRow)


def _state(found: Mapping[type, Mapping[Any, Any]]) -> RepositoryState:
    listing = found[RepositoryRow].get(LATEST)
    rows = found[TagRow], found[ImageRow], found[IndexChildRow]
    if listing is None:
        return RepositoryState(0, False, None, *rows)
    return RepositoryState(listing.full, listing.present, listing.listed_at, *rows)
