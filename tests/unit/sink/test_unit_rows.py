"""Rows of a scan's steps: one message, the rows that keep it."""

from services.sink.observation import REASON_HELD
from services.sink.unit_rows import REASON_NOT_HEARD_OF, missing_rows, unit_rows
from shared.messages.model import Failure, ScanReason
from shared.messages.scan_progressed import (
    CatalogClosed,
    CatalogPage,
    Counts,
    Progress,
    ScanEnded,
    ScanStarted,
    ScanTimedOut,
    UnitOutcome,
    UnitReported,
)
from shared.store.rows import ScanUnitRow
from tests.unit.sink.samples import BEGINNING, progressed

BROKEN = Failure(what="list", reason="unreachable")


def rows(progress: Progress) -> list[ScanUnitRow]:
    return list(unit_rows(progressed(progress, scan=3), 17, BEGINNING))


def states(progress: Progress) -> list[tuple[str, str]]:
    return [(row.state, row.repository) for row in rows(progress)]


def test_every_row_knows_its_scan_and_its_place_in_the_log() -> None:
    (row,) = rows(ScanTimedOut(stalled_seconds=1))
    assert (row.registry, row.scan, row.repository, row.state, row.offset) == ("registry1", 3, "", "timeout", 17)


def test_the_start_keeps_who_asked_and_when() -> None:
    (row,) = rows(ScanStarted(request="abc", reason=ScanReason.SCHEDULE, at=BEGINNING.replace(year=2025)))
    assert (row.state, row.request, row.reason, row.at.year) == ("started", "abc", "schedule", 2025)


def test_a_catalog_page_names_its_units_and_keeps_its_cost_and_its_failures() -> None:
    page, *expected = rows(CatalogPage(page=4, names=("a", "b"), last=True, failures=(BROKEN,), requests=2))
    assert (page.state, page.page, page.requests, page.failures) == ("catalog", 4, 2, (BROKEN,))
    assert [(row.state, row.repository) for row in expected] == [("expected", "a"), ("expected", "b")]


def test_a_closed_catalog_names_the_absent_and_those_held_back() -> None:
    closed = CatalogClosed(absent=("a",), held=("b",), complete=True)
    assert states(closed) == [("closed", ""), ("absent", "a"), ("absent", "b"), ("held", "b")]
    assert rows(closed)[0].reason == "complete"
    assert [row.failures[0].reason for row in rows(closed) if row.state == "held"] == [REASON_HELD]


def test_a_catalog_that_broke_off_is_closed_as_incomplete() -> None:
    assert [row.reason for row in rows(CatalogClosed(complete=False))] == ["incomplete"]


def test_a_unit_keeps_its_outcome_counts_and_failures() -> None:
    counts = Counts(tags=1, images=2, artifacts=3, discovered=4, removed=5, failed=6, requests=7)
    (row,) = rows(UnitReported(repository="a", outcome=UnitOutcome.FAILED, counts=counts, failures=(BROKEN,)))
    assert (row.state, row.repository, row.failures) == ("failed", "a", (BROKEN,))
    assert Counts(**{name: getattr(row, name) for name in Counts.model_fields}) == counts


def test_the_end_keeps_its_status() -> None:
    (row,) = rows(ScanEnded(status="partial"))
    assert (row.state, row.reason) == ("ended", "partial")


def test_units_not_heard_of_are_named_with_the_reason() -> None:
    message = progressed(ScanTimedOut(stalled_seconds=1), scan=3)
    found = list(missing_rows(message, ["a", "b"], 20, BEGINNING))
    assert [(row.repository, row.state, row.offset, row.failed) for row in found] == [
        ("a", "timeout", 20, 1),
        ("b", "timeout", 20, 1),
    ]
    assert {row.failures[0].reason for row in found} == {REASON_NOT_HEARD_OF}
