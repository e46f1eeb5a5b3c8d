"""The public views: what they show, and that they say what it is."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.messages.model import Failure
from shared.store import Store
from tests.support.store_rows import LATER, NOW, Rows, digest

PUBLIC = {
    "current_images": (
        "registry repository digest media_type os architecture variant os_version size_bytes created tags "
        "first_seen last_seen"
    ),
    "current_artifacts": (
        "registry repository digest media_type artifact_type size_bytes created tags first_seen last_seen"
    ),
    "current_tags": "registry repository tag digest kind platforms observed_at",
    "tag_moves": "registry repository tag moved_at from_digest to_digest scan",
    "images_ever": (
        "registry repository digest media_type os architecture variant os_version size_bytes created present "
        "first_seen removed_at"
    ),
    "image_history": "registry repository tag digest kind held_from held_to scan",
    "scans": (
        "scan_id registry reason status started_at completed_at repositories tags images artifacts discovered removed "
        "failed requests repositories_out_of_scope tags_out_of_scope kind repositories_done held"
    ),
    "scan_held": "registry scan_id repository detail at",
    "scan_failures": "registry scan_id repository what reason detail at",
    "scan_out_of_scope": "registry scan_id repository tag",
}


@pytest.fixture
async def named(store: Store, rows: Rows) -> str:
    """The name of this test's registry."""
    name = f"name-of-{rows.registry}"
    await store.insert([rows.named(name)])
    return name


async def seen(store: Store, view: str, registry: str, order: str = "repository, digest") -> list[dict[str, Any]]:
    """What a view shows of a registry, the registry's name left out."""
    return await store.query(
        f"SELECT * EXCEPT registry FROM {view} WHERE registry = {{registry:String}} ORDER BY {order}",
        {"registry": registry},
    )


@pytest.mark.parametrize("view", PUBLIC)
async def test_a_public_view_has_its_columns_and_says_what_each_of_them_is(store: Store, view: str) -> None:
    found = await store.query(
        "SELECT name, comment FROM system.columns WHERE database = currentDatabase() AND table = {view:String} "
        "ORDER BY position",
        {"view": view},
    )
    assert [column["name"] for column in found] == PUBLIC[view].split()
    assert [column["name"] for column in found if not column["comment"].endswith(".")] == []


async def test_a_public_view_says_what_it_is(store: Store) -> None:
    found = await store.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' AND comment != ''"
    )
    assert {table["name"] for table in found} == set(PUBLIC)


async def test_current_images_shows_present_images_with_all_their_facts(store: Store, rows: Rows, named: str) -> None:
    await store.insert(
        [
            rows.image("x", variant="v8", os_version="10.0", first_seen=NOW, changed_at=LATER),
            rows.image("gone", present=False),
            rows.index("index"),
            rows.artifact("chart"),
        ]
    )
    await store.insert([rows.tag("b", "x"), rows.tag("a", "x"), rows.tag("c", "x", present=False)])
    await store.insert([rows.listing(listed_at=LATER)])
    assert await seen(store, "current_images", named) == [
        {
            "repository": rows.repository,
            "digest": digest("x"),
            "media_type": "application/vnd.oci.image.manifest.v1+json",
            "os": "linux",
            "architecture": "amd64",
            "variant": "v8",
            "os_version": "10.0",
            "size_bytes": 1234,
            "created": NOW,
            "tags": ["a", "b"],
            "first_seen": NOW,
            "last_seen": LATER,
        }
    ]


async def test_a_child_has_the_tags_of_its_indexes_and_its_own(store: Store, rows: Rows, named: str) -> None:
    await store.insert([rows.image("x"), rows.image("y"), rows.image("untagged"), rows.index("i"), rows.index("j")])
    await store.insert([rows.child("i", "x"), rows.child("i", "y"), rows.child("j", "y", present=False)])
    await store.insert([rows.tag("own", "x"), rows.tag("multi", "i"), rows.tag("multi-2", "i"), rows.tag("old", "j")])
    found = {row["digest"]: row["tags"] for row in await seen(store, "current_images", named)}
    assert found == {
        digest("x"): ["multi", "multi-2", "own"],
        digest("y"): ["multi", "multi-2"],
        digest("untagged"): [],
    }


async def test_the_same_digest_in_two_repositories_is_two_images(store: Store, rows: Rows, named: str) -> None:
    await store.insert([rows.image("x", repository="a"), rows.image("x", repository="b")])
    await store.insert([rows.tag("one", "x", repository="a"), rows.tag("two", "x", repository="b")])
    found = await seen(store, "current_images", named)
    assert [(row["repository"], row["tags"], row["last_seen"]) for row in found] == [
        ("a", ["one"], None),
        ("b", ["two"], None),
    ]


async def test_a_registry_without_a_name_yet_goes_by_its_id(store: Store, rows: Rows) -> None:
    await store.insert([rows.image("x")])
    assert len(await seen(store, "current_images", rows.registry)) == 1


async def test_a_renamed_registry_shows_its_new_name(store: Store, rows: Rows, named: str) -> None:
    await store.insert([rows.image("x")])
    await store.insert([rows.named("new-" + named, version=2)])
    assert await seen(store, "current_images", named) == []
    assert len(await seen(store, "current_images", "new-" + named)) == 1


async def test_current_tags_tells_kind_and_platforms(store: Store, rows: Rows, named: str) -> None:
    arm = {"architecture": "arm64", "variant": "v8"}
    await store.insert([rows.image("x"), rows.image("y", **arm), rows.image("z", os="windows", os_version="10.0")])
    await store.insert([rows.index("i"), rows.artifact("chart"), rows.artifact("signature")])
    untold = {"os": "", "architecture": ""}
    await store.insert(
        [
            rows.child("i", "x"),
            rows.child("i", "y", **arm),
            rows.child("i", "z", **untold),
            rows.child("i", "signature", **untold),
        ]
    )
    await store.insert([rows.tag("one", "y"), rows.tag("multi", "i"), rows.tag("chart", "chart")])
    await store.insert([rows.tag("old", "x", present=False)])
    found = {row.pop("tag"): row for row in await seen(store, "current_tags", named)}
    assert {tag: row["kind"] for tag, row in found.items()} == {"one": "image", "multi": "index", "chart": "artifact"}
    assert {tag: row["digest"] for tag, row in found.items()} == {
        "one": digest("y"),
        "multi": digest("i"),
        "chart": digest("chart"),
    }
    assert found["one"]["platforms"] == [_platform("linux", "arm64", "v8")]
    assert found["multi"]["platforms"] == [
        _platform("linux", "amd64"),
        _platform("linux", "arm64", "v8"),
        _platform("windows", "amd64", os_version="10.0"),
    ]
    assert found["chart"]["platforms"] == []


def _platform(os: str, architecture: str, variant: str = "", os_version: str = "") -> dict[str, str]:
    return {"os": os, "architecture": architecture, "variant": variant, "os_version": os_version}


async def test_a_tag_was_observed_at_the_last_complete_listing_or_later_by_itself(
    store: Store, rows: Rows, named: str
) -> None:
    await store.insert([rows.image("x")])
    await store.insert([rows.tag("a", "x"), rows.tag("b", "x", repository="b", changed_at=LATER)])
    await store.insert([rows.listing(listed_at=LATER), rows.listing(repository="b")])
    await store.insert([rows.tag("c", "x", repository="c")])
    found = {row["tag"]: row["observed_at"] for row in await seen(store, "current_tags", named)}
    assert found == {"a": LATER, "b": LATER, "c": NOW}


async def test_current_artifacts_shows_what_is_no_image(store: Store, rows: Rows, named: str) -> None:
    await store.insert([rows.artifact("chart", size_bytes=5), rows.artifact("gone", present=False), rows.image("x")])
    await store.insert([rows.tag("1.0", "chart")])
    (found,) = await seen(store, "current_artifacts", named)
    assert (found["digest"], found["artifact_type"], found["tags"], found["size_bytes"]) == (
        digest("chart"),
        "application/vnd.cncf.helm.chart",
        ["1.0"],
        5,
    )


async def test_a_deleted_registry_leaves_the_current_views_and_keeps_its_past_and_name(
    store: Store, rows: Rows, named: str
) -> None:
    await store.insert([rows.image("x"), rows.artifact("chart")])
    await store.insert([rows.tag("a", "x")])
    await store.insert([rows.move("a", "x", None)])
    await store.insert([rows.unit("started")])
    await store.insert([rows.named("", host="", deleted=True, version=9)])
    for view in ("current_images", "current_artifacts", "current_tags"):
        assert await seen(store, view, named) == []
        assert await seen(store, view, rows.registry) == []
    for view, order in (
        ("images_ever", "digest"),
        ("image_history", "tag"),
        ("tag_moves", "tag"),
        ("scans", "scan_id"),
    ):
        assert len(await seen(store, view, named, order)) == 1


async def test_tag_moves_tells_creation_move_and_removal(store: Store, rows: Rows, named: str) -> None:
    await store.insert([rows.move("a", "x", None, 1), rows.move("a", "y", "x", 2), rows.move("a", None, "y", 3)])
    await store.insert([rows.move("a", "y", "x", 2)])
    found = await seen(store, "tag_moves", named, "scan")
    assert [(row["scan"], row["from_digest"], row["to_digest"], row["moved_at"]) for row in found] == [
        (1, "", digest("x"), NOW),
        (2, digest("x"), digest("y"), NOW),
        (3, digest("y"), "", NOW),
    ]


async def test_images_ever_tells_when_an_image_went_and_that_it_came_back(store: Store, rows: Rows, named: str) -> None:
    await store.insert([rows.image("x"), rows.index("i")])
    await store.insert([rows.image("x", present=False, changed_at=LATER, version=2)])
    (gone,) = await seen(store, "images_ever", named)
    assert (gone["present"], gone["first_seen"], gone["removed_at"]) == (False, NOW, LATER)
    await store.insert([rows.image("x", version=3)])
    (back,) = await seen(store, "images_ever", named)
    assert (back["present"], back["removed_at"]) == (True, None)


async def test_image_history_tells_who_held_what_from_when_to_when(store: Store, rows: Rows, named: str) -> None:
    await store.insert([rows.index("x"), rows.image("y")])
    moves = [rows.move("a", "x", None, 1), rows.move("a", "y", "x", 3), rows.move("a", None, "y", 4)]
    times = [NOW + timedelta(hours=hour) for hour in range(4)]
    await store.insert([replace(move, moved_at=at) for move, at in zip(moves, times, strict=False)])
    await store.insert([replace(rows.move("a", "x", None, 7), moved_at=times[3]), rows.move("b", "y", None, 2)])
    found = await seen(store, "image_history", named, "tag, scan")
    assert [(row["tag"], row["kind"], row["held_from"], row["held_to"], row["scan"]) for row in found] == [
        ("a", "index", times[0], times[1], 1),
        ("a", "image", times[1], times[2], 3),
        ("a", "index", times[3], None, 7),
        ("b", "image", NOW, None, 2),
    ]
    assert [row["digest"] for row in found] == [digest("x"), digest("y"), digest("x"), digest("y")]


async def test_image_history_begins_with_what_is_there_where_the_move_itself_is_forgotten(
    store: Store, rows: Rows, named: str
) -> None:
    await store.insert([rows.image("x")])
    await store.insert([rows.tag("a", "x", version=5), rows.tag("gone", "x", present=False, version=6)])
    (found,) = await seen(store, "image_history", named, "tag")
    assert (found["tag"], found["held_from"], found["held_to"], found["scan"]) == ("a", NOW, None, 5)


async def test_what_is_held_back_waits_until_something_newer_is_decided(store: Store, rows: Rows, named: str) -> None:
    held = (Failure(what="x", reason="held", detail="21 of 22"),)
    await store.insert(
        [
            rows.unit("held", "one", scan=3, failures=held),
            rows.unit("held", "one", scan=4, failures=held, at=LATER),
            rows.unit("held", "two", scan=4, failures=held),
            rows.unit("skipped", "two", scan=4, offset=9),
            rows.unit("held", "decided", scan=4, failures=held),
            rows.unit("held", "read", scan=4, failures=held),
            rows.unit("stored", "read", scan=4, offset=9),
        ]
    )
    listings = {"one": 4, "two": 2, "decided": 5, "read": 4}
    await store.insert([rows.listing(full, repository=name) for name, full in listings.items()])
    found = await seen(store, "scan_held", named, "repository")
    assert [(row["repository"], row["scan_id"], row["detail"]) for row in found] == [
        ("one", 4, "21 of 22"),
        ("two", 4, "21 of 22"),
    ]
    assert [(one.repository, one.scan) for one in await store.held_back(rows.registry)] == [("one", 4), ("two", 4)]


async def test_a_scan_runs_until_it_has_ended(store: Store, rows: Rows, named: str) -> None:
    await store.insert([rows.unit("started", reason="schedule")])
    (running,) = await seen(store, "scans", named, "scan_id")
    assert (running["status"], running["completed_at"], running["reason"]) == ("running", None, "schedule")
    assert running["started_at"] == NOW
    await store.insert([rows.unit("ended", reason="partial", at=LATER, offset=9)])
    (ended,) = await seen(store, "scans", named, "scan_id")
    assert (ended["status"], ended["started_at"], ended["completed_at"]) == ("partial", NOW, LATER)


async def test_a_scan_counts_its_units_and_its_catalog(store: Store, rows: Rows, named: str) -> None:
    counts = {"tags": 10, "images": 8, "artifacts": 1, "discovered": 3, "removed": 2, "failed": 0, "requests": 12}
    failure = Failure(what="catalog", reason="forbidden")
    await store.insert(
        [
            rows.unit("started"),
            rows.unit("catalog", page=0, requests=2),
            rows.unit("catalog", page=1, requests=3, failures=(failure,)),
            *(rows.unit("expected", name) for name in ("a", "b", "c")),
            rows.unit("stored", "a", **counts),
            rows.unit("stored", "b", **counts),
            rows.unit("skipped", "c"),
            rows.unit("absent", "d"),
            rows.unit("stored", "d", removed=5),
            rows.unit("stored", "a", scan=2, **counts),
        ]
    )
    found = (await seen(store, "scans", named, "scan_id"))[0]
    assert {name: found[name] for name in (*counts, "repositories", "scan_id")} == {
        "tags": 20,
        "images": 16,
        "artifacts": 2,
        "discovered": 6,
        "removed": 9,
        "failed": 1,
        "requests": 29,
        "repositories": 3,
        "scan_id": 1,
    }


async def test_success_beats_failure_and_else_the_first_report_stands(store: Store, rows: Rows, named: str) -> None:
    failure = Failure(what="latest", reason="timeout", detail="It took too long.")
    failed = {"failed": 1, "failures": (failure,)}
    await store.insert(
        [
            rows.unit("failed", "a", offset=1, tags=1, **failed),
            rows.unit("stored", "a", offset=2, tags=5),
            rows.unit("held", "b", offset=3, tags=7, **failed),
            rows.unit("failed", "b", offset=4, tags=9, **failed),
            rows.unit("timeout", "c", offset=5, **failed),
            rows.unit("timeout", offset=5),
        ]
    )
    (scan,) = await seen(store, "scans", named, "scan_id")
    assert (scan["tags"], scan["failed"]) == (12, 2)
    found = await seen(store, "scan_failures", named, "repository")
    assert [(row["repository"], row["what"], row["reason"], row["detail"]) for row in found] == [
        ("b", "latest", "timeout", "It took too long."),
        ("c", "latest", "timeout", "It took too long."),
    ]


async def test_failures_of_the_catalog_have_no_repository(store: Store, rows: Rows, named: str) -> None:
    failures = tuple(Failure(what=what, reason="forbidden") for what in ("page 0", "page 1"))
    await store.insert([rows.unit("catalog", failures=failures), rows.unit("started", offset=0)])
    found = await seen(store, "scan_failures", named, "what")
    assert [(row["repository"], row["what"], row["scan_id"], row["at"]) for row in found] == [
        ("", "page 0", 1, NOW),
        ("", "page 1", 1, NOW),
    ]


async def test_what_filters_left_out_is_counted_and_named_and_is_no_failure(
    store: Store, rows: Rows, named: str
) -> None:
    filtered = Failure(what="secret", reason="filtered")
    await store.insert(
        [
            rows.unit("started", scan=1),
            rows.unit("skipped", "secret", scan=1, failures=(filtered,)),
            rows.unit("stored", "app", scan=1, tags=3, tags_out_of_scope=150, out_of_scope=("1-rc", "2-rc")),
        ]
    )
    (scan,) = await seen(store, "scans", named, "scan_id")
    assert (scan["repositories_out_of_scope"], scan["tags_out_of_scope"], scan["tags"]) == (1, 150, 3)
    left_out = await seen(store, "scan_out_of_scope", named, "repository, tag")
    assert [(row["repository"], row["tag"]) for row in left_out] == [("app", "1-rc"), ("app", "2-rc"), ("secret", "")]
    assert await seen(store, "scan_failures", named, "what") == []
