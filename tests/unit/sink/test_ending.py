"""When a scan ends, and how: counted from messages as they come, or from the rows they left."""

from collections.abc import Callable, Sequence

import pytest

from services.sink.ending import ScanTally, tally_of
from services.sink.unit_rows import unit_rows
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
from tests.unit.sink.samples import BEGINNING, context, progressed

STARTED = ScanStarted(request="r", reason=ScanReason.MANUAL, at=BEGINNING)


def page(*names: str, number: int = 0, last: bool = True, complete: bool = True, requests: int = 1) -> CatalogPage:
    return CatalogPage(page=number, names=names, last=last, complete=complete, requests=requests)


def closed(*absent: str, held: tuple[str, ...] = (), complete: bool = True) -> CatalogClosed:
    return CatalogClosed(absent=absent, held=held, complete=complete)


def unit(name: str, outcome: UnitOutcome = UnitOutcome.STORED, **counts: int) -> UnitReported:
    return UnitReported(repository=name, outcome=outcome, counts=Counts(**counts))


def heard(*steps: Progress) -> ScanTally:
    """The tally of these steps, taken as they come."""
    tally = ScanTally(context())
    for step in steps:
        tally.add(progressed(step))
    return tally


def kept(*steps: Progress) -> ScanTally:
    """The tally of these steps, read back from their rows; of a row that came twice the first stays."""
    rows: dict[tuple[str, str, int], ScanUnitRow] = {}
    for offset, step in enumerate(steps):
        for row in unit_rows(progressed(step), offset, BEGINNING):
            rows.setdefault((row.repository, row.state, row.page), row)
    return tally_of(context(), rows.values(), before=len(steps))


FAILED, SKIPPED, HELD = UnitOutcome.FAILED, UnitOutcome.SKIPPED, UnitOutcome.HELD

CASES: list[tuple[str, list[Progress], str | None]] = [
    ("nothing was heard", [STARTED], None),
    ("the catalog is read and not closed", [page("a"), unit("a")], None),
    ("a unit is missing", [page("a", "b"), closed(), unit("a")], None),
    ("all that was named is stored", [page("a", "b"), closed(), unit("a"), unit("b")], "complete"),
    ("units come before the catalog is closed", [unit("a"), page("a"), closed()], "complete"),
    ("the registry is empty", [page(), closed()], "complete"),
    ("a unit was left out", [page("a"), closed(), unit("a", SKIPPED)], "complete"),
    ("a unit failed", [page("a", "b"), closed(), unit("a", FAILED), unit("b")], "partial"),
    ("a unit failed, then was stored", [page("a", "b"), closed(), unit("a", FAILED), unit("a"), unit("b")], "complete"),
    ("a unit was stored, then failed", [page("a", "b"), closed(), unit("a"), unit("a", FAILED), unit("b")], "complete"),
    ("a unit nobody named failed", [page("a"), closed(), unit("z", FAILED), unit("a")], "complete"),
    ("a unit is held", [page("a"), closed(), unit("a", HELD)], "held"),
    ("an absence is not decided", [page("a"), closed("gone"), unit("a")], None),
    ("an absence is decided", [page("a"), closed("gone"), unit("a"), unit("gone")], "complete"),
    ("absences are held", [page("a"), closed(held=("gone", "lost")), unit("a")], "held"),
    ("the catalog broke off", [page("a", complete=False), closed(complete=False), unit("a")], "partial"),
    ("the catalog could not be read", [page(complete=False), closed(complete=False)], "failed"),
    ("the catalog was closed twice", [page("a"), closed(), closed(complete=False), unit("a")], "complete"),
    (
        "it timed out with a unit missing",
        [page("a", "b"), closed(), unit("a"), ScanTimedOut(stalled_seconds=1)],
        "partial",
    ),
    ("it timed out with its catalog open", [page("a", last=False), ScanTimedOut(stalled_seconds=1)], "partial"),
    ("it timed out with nothing heard", [ScanTimedOut(stalled_seconds=1)], "partial"),
]


@pytest.mark.parametrize("count", [heard, kept])
@pytest.mark.parametrize(("steps", "status"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_scan_stands_as_its_messages_say(
    count: Callable[..., ScanTally], steps: Sequence[Progress], status: str | None
) -> None:
    assert count(*steps).status() == status


@pytest.mark.parametrize(("steps", "status"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_whoever_takes_over_counts_the_same(steps: Sequence[Progress], status: str | None) -> None:
    one, other = heard(*steps), kept(*steps)
    assert (one.expected, one.absent, one.missing(), one.counts()) == (
        other.expected,
        other.absent,
        other.missing(),
        other.counts(),
    )


def test_a_tally_sees_no_row_at_or_past_the_message_it_is_made_for() -> None:
    steps: list[Progress] = [page("a"), closed(), unit("a")]
    rows = [row for offset, step in enumerate(steps) for row in _rows(step, offset)]
    assert tally_of(context(), rows, before=2).status() is None
    assert tally_of(context(), rows, before=3).status() == "complete"


def test_a_time_out_names_what_is_missing() -> None:
    tally = heard(page("b", "a", "c"), closed("gone"), unit("b"), ScanTimedOut(stalled_seconds=1))
    assert tally.missing() == ["a", "c", "gone"]


def test_counts_are_sums_with_the_catalogs_requests_counted_once_a_page() -> None:
    steps = [page("a", last=False, requests=2), page("a", last=False, requests=2), page("b", number=1, requests=3)]
    tally = heard(*steps, unit("a", tags=4, requests=5), unit("b", tags=6, requests=7), unit("b", tags=6, requests=9))
    assert (tally.counts().tags, tally.counts().requests) == (10, 17)


def test_failures_are_those_of_units_of_the_catalog_and_what_was_not_heard_of() -> None:
    lost = Failure(what="catalog", reason="x")
    broken = CatalogPage(page=1, last=True, complete=False, failures=(lost,))
    steps: list[Progress] = [page("a", "b", last=False), broken, broken, unit("a", FAILED, failed=2)]
    assert heard(*steps, ScanTimedOut(stalled_seconds=1)).counts().failed == 4  # two of a, the catalog, and b
    assert kept(*steps, ScanTimedOut(stalled_seconds=1)).counts().failed == 4


def test_what_success_replaces_is_not_counted() -> None:
    tally = heard(
        page("a"), unit("a", FAILED, failed=3), unit("a", UnitOutcome.STORED, tags=1), unit("a", FAILED, failed=9)
    )
    assert (tally.counts().failed, tally.counts().tags) == (0, 1)


def test_an_ended_scan_knows_that_it_ended() -> None:
    steps: list[Progress] = [STARTED, page(), closed(), ScanEnded(status="complete")]
    assert heard(*steps).ended
    assert kept(*steps).ended
    assert (heard(*steps).reason, kept(*steps).reason) == ("manual", "manual")


def _rows(step: Progress, offset: int) -> list[ScanUnitRow]:
    return list(unit_rows(progressed(step), offset, BEGINNING))
