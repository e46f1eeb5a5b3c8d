"""A scan as its messages tell it."""

from shared.messages.model import Failure
from shared.messages.scan_progressed import CatalogClosed, CatalogPage, ScanEnded, ScanTimedOut, UnitOutcome
from tests.unit.tallyman.scans import catalog, seen_after, unit


def test_counts_are_the_sums_of_the_units_and_the_catalogs_requests() -> None:
    seen = seen_after(
        catalog("a", last=False, requests=2),
        catalog("b", page=1, requests=3),
        unit("a", tags=2, images=3, requests=5),
        unit("b", tags=1, images=1, requests=4),
        ScanEnded(status="complete"),
    )
    counts = seen.counts()
    assert (counts.tags, counts.images, counts.requests, counts.failed) == (3, 4, 14, 0)
    assert (seen.status, list(seen.failures())) == ("complete", [])


def test_a_message_heard_twice_counts_once() -> None:
    once = seen_after(catalog("a", requests=2), unit("a", tags=1, requests=5))
    twice = seen_after(
        *(catalog("a", requests=2), catalog("a", requests=2)),
        *(unit("a", tags=1, requests=5), unit("a", tags=1, requests=5)),
    )
    assert twice.counts() == once.counts()


def test_success_beats_failure_whichever_came_first() -> None:
    bad, good = unit("a", UnitOutcome.FAILED, "It was down.", failed=1), unit("a", tags=1)
    for order in ((bad, good), (good, bad)):
        seen = seen_after(catalog("a"), *order)
        assert seen.counts().tags == 1
        assert list(seen.failures()) == []


def test_a_failure_is_told_by_what_was_not_read_and_why() -> None:
    failed = unit("a/b", UnitOutcome.FAILED, failed=2).model_copy(
        update={
            "failures": (
                Failure(what="a/b", reason="forbidden", detail="Not allowed."),
                Failure(what="1.0", reason="held"),
            )
        }
    )
    assert list(seen_after(catalog("a/b"), failed).failures()) == ["a/b: Not allowed.", "a/b:1.0: held"]


def test_a_catalog_that_was_not_read_counts_as_one_thing_not_read() -> None:
    why = Failure(what="catalog", reason="forbidden", detail="Not allowed.")
    seen = seen_after(CatalogPage(page=0, last=True, complete=False, proves=False, failures=(why,)))
    assert seen.counts().failed == 1
    assert list(seen.failures()) == ["catalog: Not allowed."]


def test_repositories_that_a_fuse_holds_are_told_in_one_sentence_with_the_way_out() -> None:
    seen = seen_after(catalog("a"), CatalogClosed(held=("b", "c"), complete=True), unit("a"))
    (sentence,) = seen.failures()
    assert seen.counts().failed == 2
    assert sentence.startswith("catalog: 2 known repositories are not in it any more")
    assert "tallyman scan confirm" in sentence


def test_a_time_out_names_how_many_were_not_heard_of() -> None:
    seen = seen_after(
        catalog("a", "b"), CatalogClosed(absent=("gone",), complete=True), unit("a"), ScanTimedOut(stalled_seconds=300)
    )
    (sentence,) = seen.failures()
    assert seen.counts().failed == 2
    assert sentence.startswith("Nothing was heard of 2 repositories for 300 s, b among them")
