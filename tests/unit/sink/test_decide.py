"""The rule, case by case: what a listing proves, and what it must not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sink.decide import NAMED_OUT_OF_SCOPE, REASON_SUPERSEDED, Fuse
from services.sink.observation import REASON_FACTS_MISSING, REASON_HELD, Observation
from services.sink.state import state_after
from shared.messages.model import Failure, ScanKind
from shared.messages.scan_progressed import UnitOutcome
from tests.unit.sink.samples import NOTHING, changes, decided, digest, manifest, present, seen, state_of

PAIR = [
    manifest("pair", "index", ["amd64", "arm64"]),
    manifest("amd64", size_bytes=None),
    manifest("arm64", size_bytes=None),
]
OTHER = [
    manifest("other", "index", ["arm64", "s390x"]),
    manifest("arm64", size_bytes=None),
    manifest("s390x", size_bytes=None),
]
TWO = seen(1, {"1": "a", "2": "b"})
FUSE = Fuse(share=0.5, minimum=2)


def after(*observations: Observation) -> tuple[dict[str, str], set[str]]:
    return present(state_of(*observations))


# What is seen is told.


def test_a_first_listing_tells_every_tag_and_every_image() -> None:
    decision = decided(NOTHING, TWO)
    assert decision.outcome is UnitOutcome.STORED
    assert sorted(changes(decision)) == [
        *("image.discovered a", "image.discovered b"),
        *("tag.created 1 a", "tag.created 2 b"),
    ]
    assert (decision.counts.tags, decision.counts.images, decision.counts.discovered) == (2, 2, 2)


def test_an_unchanged_listing_tells_nothing_and_writes_one_row() -> None:
    decision = decided(state_of(TWO), seen(2, {"1": "a", "2": "b"}))
    assert decision.changes == ()
    assert [len(rows) for rows in decision.rows.tables()] == [0, 0, 0, 0, 0, 1]
    assert decision.outcome is UnitOutcome.STORED


def test_a_tag_that_points_elsewhere_is_told_as_moved_with_both_ends() -> None:
    (moved, *_) = decided(state_of(TWO), seen(2, {"1": "c", "2": "b"})).changes
    assert (moved.type.value, moved.tag, moved.previous, moved.digest) == ("tag.moved", "1", digest("a"), digest("c"))


def test_many_tags_on_one_digest_are_one_image() -> None:
    decision = decided(NOTHING, seen(1, {"1": "a", "2": "a"}))
    assert decision.counts.images == 1
    assert changes(decision) == ["tag.created 1 a", "tag.created 2 a", "image.discovered a"]
    assert decision.tags_of == {digest("a"): ("1", "2")}


def test_a_repository_without_tags_is_decided_too() -> None:
    decision = decided(NOTHING, seen(1))
    assert decision.outcome is UnitOutcome.STORED
    assert decision.rows.repositories[0].present


# A complete tag list proves tags absent; only one without failures proves images absent.


def test_a_tag_not_in_a_complete_list_is_removed_and_so_is_its_image() -> None:
    decision = decided(state_of(TWO), seen(2, {"1": "a"}))
    assert changes(decision) == ["tag.removed 2", "image.removed b"]
    assert after(TWO, seen(2, {"1": "a"})) == ({"1": "a"}, {"a"})


def test_an_incomplete_list_removes_nothing_and_fails_the_unit() -> None:
    decision = decided(state_of(TWO), seen(2, {"1": "a"}, complete=False, failures=(Failure(what="list", reason="x"),)))
    assert decision.changes == ()
    assert decision.outcome is UnitOutcome.FAILED
    assert decision.counts.failed == 1


def test_an_incomplete_list_still_tells_what_it_saw() -> None:
    assert changes(decided(state_of(TWO), seen(2, {"3": "c"}, complete=False))) == [
        "tag.created 3 c",
        "image.discovered c",
    ]


def test_a_tag_that_failed_is_unknown_and_keeps_what_it_had() -> None:
    decision = decided(state_of(TWO), seen(2, {"1": "a"}, failed=["2"]))
    assert decision.changes == ()
    assert decision.outcome is UnitOutcome.FAILED
    assert (decision.counts.tags, decision.counts.failed) == (2, 1)


def test_a_failed_tag_keeps_every_image_though_other_tags_are_removed() -> None:
    state = state_of(seen(1, {"1": "a", "2": "b", "3": "c"}))
    decision = decided(state, seen(2, {"1": "a"}, failed=["2"]))
    assert changes(decision) == ["tag.removed 3"]  # what tag 2 points to now might be c


def test_a_manifest_gone_removes_its_tag_and_counts_as_no_failure() -> None:
    decision = decided(state_of(TWO), seen(2, {"1": "a"}, gone=["2"]))
    assert changes(decision) == ["tag.removed 2", "image.removed b"]
    assert decision.outcome is UnitOutcome.STORED


def test_a_manifest_gone_proves_itself_in_an_incomplete_listing() -> None:
    decision = decided(state_of(TWO), seen(2, gone=["2"], complete=False))
    assert changes(decision) == ["tag.removed 2"]


def test_a_gone_tag_that_nobody_knew_is_nothing() -> None:
    assert decided(NOTHING, seen(1, {"1": "a"}, gone=["2"])).counts.tags == 1


def test_an_absent_repository_loses_all_and_is_known_no_more() -> None:
    decision = decided(state_of(TWO), seen(2, absent=True))
    assert sorted(changes(decision)) == ["image.removed a", "image.removed b", "tag.removed 1", "tag.removed 2"]
    assert not decision.rows.repositories[0].present
    assert decision.outcome is UnitOutcome.STORED


def test_a_removal_is_a_row_with_its_history() -> None:
    rows = decided(state_of(TWO), seen(2, {"1": "a"})).rows
    assert [(row.tag, row.present, row.version) for row in rows.tags] == [("2", False, 2)]
    assert [(row.tag, row.digest, row.previous) for row in rows.moves] == [("2", None, digest("b"))]
    assert [(row.digest, row.present) for row in rows.images] == [(digest("b"), False)]


def test_what_comes_back_is_told_as_created_and_reappeared_and_keeps_its_first_sight() -> None:
    state = state_of(TWO, seen(2, {"1": "a"}))
    decision = decided(state, seen(3, {"1": "a", "2": "b"}, manifests=[]))
    assert changes(decision) == ["tag.created 2 b", "image.reappeared b"]
    assert decision.rows.images[0].first_seen == state.images[digest("b")].first_seen


# Order: the scan's number decides.


@pytest.mark.parametrize("scan", [1, 2])
def test_a_listing_not_newer_than_the_last_full_one_is_skipped(scan: int) -> None:
    state = state_of(TWO, seen(2, {"1": "a", "2": "b"}))
    decision = decided(state, seen(scan, {"3": "c"}))
    assert decision.outcome is UnitOutcome.SKIPPED
    assert (decision.changes, [*decision.rows.tables()]) == ((), [()] * 6)
    assert [failure.reason for failure in decision.failures] == [REASON_SUPERSEDED]


def test_a_listing_that_failed_supersedes_older_ones_all_the_same() -> None:
    state = state_of(TWO, seen(3, {"1": "a"}, failed=["2"]))
    assert decided(state, seen(2, {"1": "a"})).outcome is UnitOutcome.SKIPPED


def test_only_a_complete_listing_counts_as_the_last_time_it_was_listed() -> None:
    state = state_of(TWO, seen(2, {"1": "a"}, complete=False))
    assert (state.full, state.listed_at) == (2, TWO.observed_at)


# A one-tag scan proves its tag only.

ONE_TAG = ScanKind.TAG


def test_a_one_tag_scan_moves_its_tag_and_removes_no_image() -> None:
    decision = decided(state_of(TWO), seen(2, {"1": "c"}, kind=ONE_TAG))
    assert changes(decision) == ["tag.moved 1 c", "image.discovered c"]
    assert decision.rows.repositories == ()


def test_a_one_tag_scan_writes_what_it_reaches_though_it_is_unchanged() -> None:
    state = state_of(seen(1, {"1": "pair"}, manifests=PAIR))
    rows = decided(state, seen(2, {"1": "pair"}, manifests=[], kind=ONE_TAG)).rows
    assert [row.version for row in rows.tags] == [2]
    assert {row.digest for row in rows.images} == {digest("pair"), digest("amd64"), digest("arm64")}
    assert {row.child for row in rows.children} == {digest("amd64"), digest("arm64")}
    assert decided(state, seen(2, {"1": "pair"}, manifests=[], kind=ONE_TAG)).changes == ()


def test_what_a_newer_one_tag_scan_saw_an_older_full_one_does_not_remove() -> None:
    state = state_of(TWO, seen(3, {"2": "b"}, manifests=[], kind=ONE_TAG))
    decision = decided(state, seen(2, {"1": "a"}))
    assert decision.changes == ()
    assert present(state_after(state, decision.rows)) == ({"1": "a", "2": "b"}, {"a", "b"})


def test_a_one_tag_scan_that_finds_its_tag_gone_removes_it_and_nothing_else() -> None:
    assert changes(decided(state_of(TWO), seen(2, gone=["1"], kind=ONE_TAG))) == ["tag.removed 1"]


def test_a_one_tag_scan_older_than_the_last_full_one_is_skipped() -> None:
    state = state_of(seen(3, {"1": "a"}))
    assert decided(state, seen(2, {"1": "b"}, kind=ONE_TAG)).outcome is UnitOutcome.SKIPPED


def test_a_one_tag_scan_not_newer_than_its_tag_is_skipped() -> None:
    state = state_of(TWO, seen(3, {"1": "c"}, kind=ONE_TAG))
    assert decided(state, seen(2, {"1": "b"}, kind=ONE_TAG)).outcome is UnitOutcome.SKIPPED
    assert decided(state, seen(2, {"2": "c"}, kind=ONE_TAG)).outcome is UnitOutcome.STORED  # another tag


def test_a_one_tag_scan_that_fails_tells_nothing() -> None:
    decision = decided(state_of(TWO), seen(2, failed=["1"], kind=ONE_TAG))
    assert (decision.changes, decision.outcome) == ((), UnitOutcome.FAILED)


# Indexes and their members.


def test_members_of_an_index_are_images_and_the_index_is_none() -> None:
    decision = decided(NOTHING, seen(1, {"1": "pair"}, manifests=PAIR))
    assert sorted(changes(decision)) == ["image.discovered amd64", "image.discovered arm64", "tag.created 1 pair"]
    assert decision.counts.images == 2
    assert decision.tags_of == {digest("amd64"): ("1",), digest("arm64"): ("1",)}
    assert {(row.child, row.architecture) for row in decision.rows.children} == {
        (digest("amd64"), "amd64"),
        (digest("arm64"), "arm64"),
    }


def test_a_known_index_needs_no_facts_again() -> None:
    state = state_of(seen(1, {"1": "pair"}, manifests=PAIR))
    decision = decided(state, seen(2, {"1": "pair", "2": "pair"}, manifests=[]))
    assert changes(decision) == ["tag.created 2 pair"]
    assert decision.counts.images == 2


def test_a_member_that_another_index_shares_stays_when_one_index_goes() -> None:
    both = seen(1, {"1": "pair", "2": "other"}, manifests=[*PAIR, *OTHER])
    decision = decided(state_of(both), seen(2, {"2": "other"}, manifests=[]))
    assert changes(decision) == ["tag.removed 1", "image.removed amd64"]
    gone = {(row.index, row.child) for row in decision.rows.children if not row.present}
    assert gone == {(digest("pair"), digest("amd64")), (digest("pair"), digest("arm64"))}


def test_an_index_that_comes_back_brings_its_members_from_the_store() -> None:
    state = state_of(seen(1, {"1": "pair"}, manifests=PAIR), seen(2))
    decision = decided(state, seen(3, {"1": "pair"}, manifests=[]))
    assert sorted(changes(decision)) == ["image.reappeared amd64", "image.reappeared arm64", "tag.created 1 pair"]
    assert all(row.present for row in decision.rows.children)


# Artifacts, and facts.


def test_an_artifact_is_kept_and_makes_no_image_event() -> None:
    decision = decided(
        NOTHING, seen(1, {"v1": "chart"}, manifests=[manifest("chart", "artifact", artifact_type="x/y")])
    )
    assert changes(decision) == ["tag.created v1 chart"]
    assert (decision.counts.images, decision.counts.artifacts) == (0, 1)
    assert decision.rows.images[0].artifact_type == "x/y"


def test_a_digest_of_which_nobody_knows_the_facts_fails_its_tag_alone() -> None:
    decision = decided(state_of(TWO), seen(2, {"1": "a", "2": "c"}, manifests=[]))
    assert decision.changes == ()
    assert [(failure.what, failure.reason) for failure in decision.failures] == [("2", REASON_FACTS_MISSING)]
    assert decision.outcome is UnitOutcome.FAILED


def test_an_index_with_a_member_of_which_nobody_knows_the_facts_fails_its_tag() -> None:
    decision = decided(NOTHING, seen(1, {"1": "pair"}, manifests=PAIR[:2]))
    assert decision.changes == ()
    assert decision.outcome is UnitOutcome.FAILED


def test_facts_that_come_later_are_added_without_an_event() -> None:
    state = state_of(seen(1, {"1": "pair"}, manifests=PAIR))
    decision = decided(
        state, seen(2, {"1": "pair", "2": "amd64"}, manifests=[manifest("amd64", config=digest("config"))])
    )
    assert changes(decision) == ["tag.created 2 amd64"]
    assert [(row.size_bytes, row.config) for row in decision.rows.images] == [(100, digest("config"))]
    assert state_after(state, decision.rows).images[digest("amd64")].architecture == "amd64"


def test_facts_that_are_known_are_not_written_again() -> None:
    assert decided(state_of(TWO), seen(2, {"1": "a", "2": "b"})).rows.images == ()


def test_a_config_is_kept_for_the_next_image_that_has_it() -> None:
    decision = decided(NOTHING, seen(1, {"1": "a"}, manifests=[manifest("a", config=digest("config"))]))
    assert [(row.digest, row.architecture) for row in decision.rows.configs] == [(digest("config"), "a")]


# Fuses.

FOUR = seen(1, {"1": "a", "2": "b", "3": "c", "4": "d"})


def test_a_listing_that_would_remove_too_much_is_held() -> None:
    decision = decided(state_of(FOUR), seen(2, {"1": "a"}), FUSE)
    assert decision.outcome is UnitOutcome.HELD
    assert decision.changes == ()
    assert [failure.reason for failure in decision.failures] == [REASON_HELD]
    assert "3 of 4 tags" in decision.failures[0].detail


def test_what_is_new_in_a_held_listing_is_told_all_the_same() -> None:
    decision = decided(state_of(FOUR), seen(2, {"5": "e"}), FUSE)
    assert decision.outcome is UnitOutcome.HELD
    assert changes(decision) == ["tag.created 5 e", "image.discovered e"]


def test_a_fuse_holds_back_manifests_that_are_gone_too() -> None:
    decision = decided(state_of(FOUR), seen(2, {"1": "a"}, gone=["2", "3", "4"]), FUSE)
    assert (decision.outcome, decision.changes) == (UnitOutcome.HELD, ())


@pytest.mark.parametrize(
    ("left", "why"),
    [({"1": "a", "2": "b"}, "half is not more than half"), ({"1": "a", "2": "b", "3": "c"}, "one is under the least")],
)
def test_a_fuse_lets_pass_what_is_not_too_much(left: dict[str, str], why: str) -> None:
    assert decided(state_of(FOUR), seen(2, left), FUSE).outcome is UnitOutcome.STORED, why


def test_few_removals_never_trip_a_fuse_however_large_their_share() -> None:
    assert decided(state_of(TWO), seen(2), Fuse(share=0.5, minimum=20)).outcome is UnitOutcome.STORED


def test_a_confirmed_scan_passes_the_fuse() -> None:
    decision = decided(state_of(FOUR), seen(2, {"1": "a"}, confirmed=True), FUSE)
    assert decision.outcome is UnitOutcome.STORED
    assert len(decision.changes) == 6


def test_a_held_listing_counts_as_decided_so_that_confirming_is_a_new_scan() -> None:
    state = state_of(FOUR)
    held = state_after(state, decided(state, seen(2), FUSE).rows)
    assert decided(held, seen(2, confirmed=True), FUSE).outcome is UnitOutcome.SKIPPED
    assert len(decided(held, seen(3, confirmed=True), FUSE).changes) == 8


def test_an_absence_has_its_fuse_at_the_catalog_not_here() -> None:
    assert decided(state_of(FOUR), seen(2, absent=True), FUSE).outcome is UnitOutcome.STORED


def test_a_tag_out_of_scope_stays_as_it_is_and_so_does_what_it_last_pointed_to() -> None:
    state = state_of(seen(1, {"1": "a", "2-rc": "b", "3": "c"}))
    decision = decided(state, seen(2, {"1": "a"}, out_of_scope=frozenset({"2-rc"})))
    assert sorted(changes(decision)) == ["image.removed c", "tag.removed 3"]
    assert present(state_after(state, decision.rows)) == ({"1": "a", "2-rc": "b"}, {"a", "b"})
    assert (decision.counts.tags, decision.counts.tags_out_of_scope, decision.out_of_scope) == (1, 1, ("2-rc",))
    assert decision.outcome is UnitOutcome.STORED


def test_a_tag_out_of_scope_that_was_never_seen_is_nothing() -> None:
    decision = decided(NOTHING, seen(1, {"1": "a"}, out_of_scope=frozenset({"2-rc"})))
    assert sorted(changes(decision)) == ["image.discovered a", "tag.created 1 a"]


def test_the_members_of_an_index_that_only_a_tag_out_of_scope_reaches_stay() -> None:
    facts = [manifest("pair", "index", ["amd64", "arm64"]), manifest("amd64"), manifest("arm64")]
    state = state_of(seen(1, {"multi-rc": "pair"}, manifests=facts))
    decision = decided(state, seen(2, {}, manifests=[], out_of_scope=frozenset({"multi-rc"})))
    assert changes(decision) == []
    assert present(state_after(state, decision.rows))[1] == {"pair", "amd64", "arm64"}


def test_a_tag_that_comes_back_into_scope_is_compared_with_what_it_was() -> None:
    state = state_of(seen(1, {"1": "a"}), seen(2, {}, manifests=[], out_of_scope=frozenset({"1"})))
    assert changes(decided(state, seen(3, {"1": "a"}))) == []
    assert "tag.moved 1 b" in changes(decided(state, seen(3, {"1": "b"})))


def test_a_unit_names_the_first_of_many_tags_out_of_scope_and_counts_all() -> None:
    names = frozenset(f"t{number:03}" for number in range(150))
    decision = decided(NOTHING, seen(1, {}, manifests=[], out_of_scope=names))
    assert decision.out_of_scope == tuple(sorted(names)[:NAMED_OUT_OF_SCOPE])
    assert decision.counts.tags_out_of_scope == 150


_TAGGED = st.dictionaries(st.sampled_from("123456"), st.sampled_from("abcd"))


@given(before=_TAGGED, now=_TAGGED, out=st.frozensets(st.sampled_from("123456")))
def test_whatever_is_listed_what_is_out_of_scope_stays_and_the_rest_is_told(
    before: dict[str, str], now: dict[str, str], out: frozenset[str]
) -> None:
    state = state_of(seen(1, before))
    decision = decided(state, seen(2, {tag: word for tag, word in now.items() if tag not in out}, out_of_scope=out))
    tags, images = present(state_after(state, decision.rows))
    expected = {tag: word for tag, word in before.items() if tag in out}
    expected |= {tag: word for tag, word in now.items() if tag not in out}
    assert tags == expected
    assert images == set(expected.values())
    assert not {change.tag for change in decision.changes} & out
