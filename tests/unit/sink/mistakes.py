"""Mistakes that the randomised test must see: each a store, a log or a message that is wrong in one way.

They are what the sink would do without one of its rules, made around it: the rules themselves stay untouched.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from shared.messages.images_observed import ImagesObserved
from shared.messages.model import Message, ScanKind
from shared.messages.scan_progressed import CatalogClosed, ScanProgressed
from shared.store.rows import (
    ImageRow,
    IndexChildRow,
    ListingPageRow,
    OutboxRow,
    RepositoryRow,
    Row,
    ScanUnitRow,
    TagRow,
)
from shared.store.state import RepositoryState
from tests.fakes.sink_store import FakeSinkStore, Tables
from tests.unit.sink.world.scheduler import Variant

Scan = tuple[str, str, int]


class _Any(int):
    """A number that seems to be whatever it is compared with."""

    __hash__ = int.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __le__(self, other: object) -> bool:
        return True

    def __gt__(self, other: object) -> bool:
        return False


class RowsBeforeOutbox(FakeSinkStore):
    """A decision is inserted only after its rows."""

    _late: tuple[Row, ...] = ()

    async def insert(self, rows: Sequence[Row]) -> None:
        if rows and isinstance(rows[0], OutboxRow) and rows[0].repository:
            self._late = (*self._late, *rows)
            return
        await super().insert(rows)
        if self._late and rows and isinstance(rows[0], RepositoryRow):
            await self._insert_late()

    async def decisions(self, keys: Collection[Scan]) -> Mapping[Scan, OutboxRow]:
        await self._insert_late()
        return await super().decisions(keys)

    async def _insert_late(self) -> None:
        late, self._late = self._late, ()
        await super().insert(late)


class CauseNotCompared(FakeSinkStore):
    """Every decision that is found seems to be the message's own."""

    async def decisions(self, keys: Collection[Scan]) -> Mapping[Scan, OutboxRow]:
        found = await super().decisions(keys)
        return {key: replace(row, partition=_Any(), offset=_Any()) for key, row in found.items()}


class EqualIsNotStale(FakeSinkStore):
    """A listing as new as the last decided one is decided again."""

    async def repository_states(self, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], RepositoryState]:
        states = await super().repository_states(keys)
        return {key: replace(state, full=max(0, state.full - 1)) for key, state in states.items()}


class LookUpBeforeState(FakeSinkStore):
    """The outbox is looked at a while before the state is read."""

    _seen: Mapping[Any, Mapping[Any, OutboxRow]] = {}

    async def repository_states(self, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], RepositoryState]:
        self._seen = {key: self.tables.of(OutboxRow, key) for key in keys}
        for _ in range(10):
            await self.pause("looked up")
        return await super().repository_states(keys)

    async def decisions(self, keys: Collection[Scan]) -> Mapping[Scan, OutboxRow]:
        if any(not repository for _, repository, _ in keys):
            return await super().decisions(keys)
        await self.pause("decisions")
        return {key: row for key in keys if (row := self._seen[key[:2]].get(key[2]))}


class PagesOfAnyOffset(FakeSinkStore):
    """A message sees pages that lie after it, and any page may complete a reading."""

    async def listing_pages(self, readings: Collection[Scan], bodies: bool) -> Sequence[ListingPageRow]:  # type: ignore[override]  # a reading is (str, str, str); nobody looks
        return [replace(page, offset=_Any()) for page in await super().listing_pages(readings, bodies)]  # type: ignore[arg-type]


class HighestOffsetKept(Tables):
    """Of a page that came twice the later copy is kept."""

    def merge(self, row: Any) -> None:
        if isinstance(row, ListingPageRow):
            self.rows[ListingPageRow][row.registry, row.repository, row.reading].pop((row.leg, row.page), None)
        super().merge(row)


class LowerVersionWins(Tables):
    """The tables keep what came last, whatever its version."""

    def merge(self, row: Any) -> None:
        if isinstance(row, TagRow):
            self.rows[TagRow][row.registry, row.repository].pop(row.tag, None)
        super().merge(row)


class OneTagRowsNotWritten(FakeSinkStore):
    """A one-tag scan does not write what it finds unchanged."""

    async def insert(self, rows: Sequence[Row]) -> None:
        await super().insert([row for row in rows if not self._is_unchanged(row)])

    def _is_unchanged(self, row: Row) -> bool:
        match row:
            case TagRow():
                kept = self.tables.of(TagRow, (row.registry, row.repository)).get(row.tag)
                return kept is not None and (kept.digest, kept.present) == (row.digest, row.present)
            case ImageRow():
                kept = self.tables.of(ImageRow, (row.registry, row.repository)).get(row.digest)
                return kept is not None and (kept.present, kept.size_bytes) == (row.present, row.size_bytes)
            case IndexChildRow():
                kept = self.tables.of(IndexChildRow, (row.registry, row.repository)).get((row.index, row.child))
                return kept is not None and bool(kept.present == row.present)
        return False


class UnitsOfAnyOffset(FakeSinkStore):
    """A scan is judged by rows that lie after the message that judges it."""

    async def scan_units(self, registry: str, scan: int) -> Sequence[ScanUnitRow]:
        return [replace(row, offset=0) for row in await super().scan_units(registry, scan)]


def _without_legs(message: Message) -> Message:
    """All workings of a continuation share one leg."""
    if not isinstance(message, ImagesObserved) or message.reading is None:
        return message
    reading = message.reading.model_copy(update={"leg": message.reading.id, "follows": None})
    return message.model_copy(update={"reading": reading})


def _without_absences(message: Message) -> Message:
    """A closed catalog does not name the repositories that are being told absent."""
    if isinstance(message, ScanProgressed) and isinstance(message.progress, CatalogClosed):
        return message.model_copy(update={"progress": message.progress.model_copy(update={"absent": ()})})
    return message


def _without_failures(message: Message) -> Message:
    """What was not read passes for gone."""
    return message.model_copy(update={"failed": ()}) if isinstance(message, ImagesObserved) else message


def _always_complete(message: Message) -> Message:
    """A tag list that broke off passes for whole."""
    return message.model_copy(update={"complete": True}) if isinstance(message, ImagesObserved) else message


_CRASHING: Final = {"owner_crashes": 0.02, "stage_crashes": 0.03, "expires": False}
_TARGETED: Final = {"kinds": (ScanKind.FULL, ScanKind.TAG, ScanKind.TAG, ScanKind.TAG), "changes": 0.15}
_CONTINUED: Final = {
    "kinds": (ScanKind.REPOSITORY,),
    "focus": 0.9,
    "changes": 0.3,
    "unread": 0.0,
    "stage_crashes": 0.2,
    "tags_per_page": 1,
    "continuations": 0.3,
}

MISTAKES: Final[Mapping[str, Variant]] = {
    "rows before outbox": Variant(store=RowsBeforeOutbox),
    "cause not compared": Variant(store=CauseNotCompared),
    "equal is not stale": Variant(store=EqualIsNotStale, shown_by=10),
    "look-up before state": Variant(store=LookUpBeforeState, weather=_CRASHING, shown_by=41),
    "pages of any offset": Variant(store=PagesOfAnyOffset, shown_by=3),
    "highest offset kept": Variant(tables=HighestOffsetKept, shown_by=7),
    "one-tag rows not written": Variant(store=OneTagRowsNotWritten, weather=_TARGETED, shown_by=17),
    "units of any offset": Variant(store=UnitsOfAnyOffset, weather=_CRASHING, shown_by=5),
    "lower version wins": Variant(tables=LowerVersionWins, shown_by=16),
    "legs dropped": Variant(message=_without_legs, weather=_CONTINUED, shown_by=4),
    "absences not expected": Variant(message=_without_absences, rough=False, shown_by=70),
    "failures pass for gone": Variant(message=_without_failures, shown_by=14),
    "broken lists pass for whole": Variant(message=_always_complete, shown_by=18),
    "no fencing": Variant(fences=False),
    "tallies kept after a failure": Variant(resets=False, shown_by=29),
}
