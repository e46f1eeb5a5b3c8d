"""What a decision writes, counts and says, to the last field; and what is as new as the scan stays as it is."""

from dataclasses import replace

from services.sink.decide import REASON_SUPERSEDED, Fuse
from services.sink.observation import REASON_HELD
from shared.messages.images_observed import ObservedChild
from shared.messages.model import Failure, ScanKind
from shared.messages.scan_progressed import Counts, UnitOutcome
from shared.oci.platform import Platform
from tests.unit.sink.samples import NOTHING, REPOSITORY, changes, decided, digest, manifest, seen, state_of

PAIR = [
    manifest("pair", "index", ["amd64", "arm64"]),
    manifest("amd64", size_bytes=None),
    manifest("arm64", size_bytes=None),
]
TWO = seen(1, {"1": "a", "2": "b"})
ONE_TAG = ScanKind.TAG
FUSE = Fuse(share=0.5, minimum=2)


# Rows.


def test_a_tag_that_is_created_or_moved_writes_a_move_with_both_ends() -> None:
    rows = decided(state_of(seen(1, {"1": "a"})), seen(2, {"1": "c", "2": "b"})).rows
    assert [(row.tag, row.digest, row.previous, row.version) for row in rows.moves] == [
        ("1", digest("c"), digest("a"), 2),
        ("2", digest("b"), None, 2),
    ]


def test_a_removed_tag_keeps_its_last_digest_and_its_event_names_it() -> None:
    decision = decided(state_of(TWO), seen(2, {"1": "a"}))
    assert [(row.tag, row.digest, row.present) for row in decision.rows.tags] == [("2", digest("b"), False)]
    assert (decision.changes[0].digest, decision.changes[0].previous) == (None, digest("b"))


def test_a_one_tag_scan_that_finds_its_tag_unchanged_keeps_the_time_of_its_change() -> None:
    (row,) = decided(state_of(TWO), seen(2, {"1": "a"}, kind=ONE_TAG)).rows.tags
    assert (row.version, row.changed_at) == (2, TWO.observed_at)


def test_a_one_tag_scan_that_finds_its_tag_still_gone_keeps_the_time_of_its_removal() -> None:
    removing = seen(2, {"1": "a"})
    decision = decided(state_of(TWO, removing), seen(3, gone=["2"], kind=ONE_TAG))
    (row,) = decision.rows.tags
    assert (row.present, row.version, row.changed_at) == (False, 3, removing.observed_at)
    assert (decision.rows.moves, decision.changes) == ((), ())


def test_the_members_of_an_unchanged_index_are_not_written_again() -> None:
    state = state_of(seen(1, {"1": "pair"}, manifests=PAIR))
    assert decided(state, seen(2, {"1": "pair"}, manifests=[])).rows.children == ()


def test_a_member_that_is_not_stored_is_written_though_the_one_before_it_is_there() -> None:
    state = state_of(seen(1, {"1": "pair"}, manifests=PAIR))
    (pair, first), (_, last) = sorted(state.children)
    torn = replace(state, children={(pair, first): state.children[pair, first]})
    observed = seen(2, {"1": "pair"}, manifests=PAIR)
    assert [row.child for row in decided(torn, observed).rows.children] == [last]


def test_members_that_go_with_their_index_are_rows_that_say_so() -> None:
    rows = decided(state_of(seen(1, {"1": "pair"}, manifests=PAIR)), seen(2)).rows
    assert [row.present for row in rows.children] == [False, False]


def test_a_member_keeps_its_whole_platform_while_its_index_goes_and_comes() -> None:
    platform = Platform(os="windows", architecture="arm", variant="v7", os_version="10.0.1")
    index = manifest("pair", "index").model_copy(
        update={"children": (ObservedChild(digest=digest("arm64"), platform=platform),)}
    )
    first = seen(1, {"1": "pair"}, manifests=[index, manifest("arm64")])
    state = state_of(first, seen(2), seen(3, {"1": "pair"}, manifests=[]))
    (row,) = state.children.values()
    assert row.version == 3
    assert (row.os, row.architecture, row.variant, row.os_version) == ("windows", "arm", "v7", "10.0.1")


def test_a_tag_that_one_page_has_as_gone_and_another_as_failed_is_removed() -> None:
    decision = decided(state_of(TWO), seen(2, {"1": "a"}, failed=["2"], gone=["2"]))
    assert changes(decision) == ["tag.removed 2"]


# What is as new as the scan.


def test_a_listing_leaves_what_a_one_tag_scan_of_the_same_number_found() -> None:
    state = state_of(TWO, seen(2, {"1": "c"}, kind=ONE_TAG))
    elsewhere = decided(state, seen(2, {"1": "d", "2": "b"}))
    assert changes(elsewhere) == ["image.discovered d", "image.removed a"]  # neither tag 1 nor image c
    assert elsewhere.rows.tags == ()
    assert changes(decided(state, seen(2, {"2": "b"}))) == ["image.removed a"]


def test_a_listing_leaves_the_index_that_a_one_tag_scan_of_the_same_number_found() -> None:
    state = state_of(seen(1, {"1": "pair"}, manifests=PAIR), seen(2, {"1": "pair"}, manifests=[], kind=ONE_TAG))
    rows = decided(state, seen(2)).rows
    assert (rows.tags, rows.images, rows.children) == ((), (), ())


def test_a_one_tag_scan_writes_nothing_again_that_one_of_the_same_number_wrote() -> None:
    state = state_of(seen(1, {"1": "pair"}, manifests=PAIR), seen(2, {"1": "pair"}, manifests=[], kind=ONE_TAG))
    rows = decided(state, seen(2, {"2": "pair"}, manifests=[], kind=ONE_TAG)).rows
    assert [row.tag for row in rows.tags] == ["2"]
    assert (rows.images, rows.children) == ((), ())


def test_a_one_tag_scan_as_new_as_its_tag_is_skipped() -> None:
    state = state_of(TWO, seen(3, {"1": "c"}, kind=ONE_TAG))
    assert decided(state, seen(3, {"1": "b"}, kind=ONE_TAG)).outcome is UnitOutcome.SKIPPED


# What an event's reader is given beside the change.


def test_the_images_of_a_tag_are_named_where_they_are_not_its_digest_alone() -> None:
    decision = decided(NOTHING, seen(1, {"1": "pair", "2": "a"}, manifests=[*PAIR, manifest("a")]))
    assert decision.images_of == {digest("pair"): tuple(sorted([digest("amd64"), digest("arm64")]))}


def test_the_images_of_a_removed_tag_are_not_named() -> None:
    assert decided(state_of(seen(1, {"1": "pair"}, manifests=PAIR)), seen(2)).images_of == {}


# Counts.


def test_what_comes_back_counts_as_discovered_beside_what_is_new() -> None:
    state = state_of(TWO, seen(2, {"1": "a"}))
    counts = decided(state, seen(3, {"1": "a", "2": "b", "3": "c"})).counts
    assert (counts.discovered, counts.removed) == (2, 0)


def test_removed_images_and_the_requests_of_a_listing_are_counted() -> None:
    counts = decided(state_of(TWO), seen(2, {"1": "a"}, requests=7)).counts
    assert counts == Counts(tags=1, images=1, removed=1, requests=7)


# Listings that are skipped or held.


def test_a_superseded_listing_says_so_and_counts_its_requests() -> None:
    decision = decided(state_of(TWO), seen(1, requests=7))
    assert decision.failures == (
        Failure(what=REPOSITORY, reason=REASON_SUPERSEDED, detail="A newer scan has decided already."),
    )
    assert decision.counts == Counts(requests=7)


def test_a_held_listing_says_how_to_let_it_pass() -> None:
    (held,) = decided(state_of(TWO), seen(2), FUSE).failures
    assert held == Failure(
        what=REPOSITORY,
        reason=REASON_HELD,
        detail="2 of 2 tags would be removed, too many to believe it: confirm it if they are gone "
        "(tallyman scan confirm, or on the registry's page).",
    )


def test_removed_tags_trip_the_fuse_whatever_becomes_of_their_images() -> None:
    state = state_of(seen(1, {"1": "a", "2": "a", "3": "a", "4": "a"}))
    assert decided(state, seen(2, {"1": "a"}), FUSE).outcome is UnitOutcome.HELD


def test_new_tags_and_images_trip_no_fuse() -> None:
    assert decided(state_of(TWO), seen(2, {"1": "a", "2": "b", "3": "c"}), FUSE).outcome is UnitOutcome.STORED
