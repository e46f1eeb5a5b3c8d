"""The live line of a load, in words."""

from shared.messages.model import ScanReason
from shared.messages.scan_progressed import ScanStarted, UnitOutcome
from tallyman.following import ScanSeen
from tallyman.progress import told_of
from tests.unit.tallyman.scans import catalog, seen_after, unit

NOBODY = ScanStarted.model_validate({"request": "r", "reason": ScanReason.MANUAL, "at": "2024-01-01T00:00:00Z"})


def test_it_says_what_is_waited_for_before_there_is_anything_to_count() -> None:
    assert told_of(ScanSeen("registry0", 1), 0, 0.0) == "waiting for the lister"
    assert told_of(seen_after(NOBODY), 0, 0.5) == "asking for the catalog"


def test_it_has_everything_that_can_be_counted() -> None:
    seen = seen_after(catalog("a", "b", requests=2), unit("a", tags=10, images=12, requests=18))
    assert told_of(seen, 1, 2.0) == "1/2 repositories, 10 tags, 12 images, 10 requests/s, 2 s left"


def test_while_the_catalog_is_read_there_may_be_more_and_no_time_is_promised() -> None:
    seen = seen_after(catalog("a", "b", last=False), unit("a", tags=1))
    told = told_of(seen, 1, 1.0)
    assert told.startswith("1/2+ repositories")
    assert "left" not in told


def test_failures_stand_out() -> None:
    seen = seen_after(catalog("a"), unit("a", UnitOutcome.FAILED, "It was down.", failed=1))
    assert "[red]1 failed[/red]" in told_of(seen, 1, 1.0)
