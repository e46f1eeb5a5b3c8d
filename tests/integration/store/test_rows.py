"""Rows of every table: stored, found again, replaced."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.messages.model import Failure
from shared.store import Store
from shared.store.rows import ImageRow, TagMoveRow
from tests.support.store_rows import LATER, NOW, Rows, digest

ODD = "ünï/cøde 'quoted' \\ \" ` \t\n${x} {y:String} 中文 🐳"


async def test_a_state_comes_back_as_it_went(store: Store, rows: Rows) -> None:
    image = rows.image("x", os_version="10.0.1", variant="v8", artifact_type="a")
    untold = rows.image("y", size_bytes=None, created=None, config=None, present=False)
    tag, child, listing = rows.tag("latest", "x"), rows.child("index", "x"), rows.listing(5)
    for row in (image, untold, tag, child, listing):
        await store.insert([row])
    key = (rows.registry, rows.repository)
    state = (await store.repository_states([key]))[key]
    assert state.images == {digest("x"): image, digest("y"): untold}
    assert state.tags == {"latest": tag}
    assert state.children == {(digest("index"), digest("x")): child}
    assert (state.full, state.present, state.listed_at) == (5, True, NOW)


async def test_what_is_not_known_has_an_empty_state(store: Store, rows: Rows) -> None:
    keys = [(rows.registry, "a"), (rows.registry, "b")]
    states = await store.repository_states(keys)
    assert set(states) == set(keys)
    assert all(not (state.full or state.present or state.tags or state.images) for state in states.values())
    assert await store.repository_states([]) == {}


async def test_a_repository_known_by_its_tags_alone_was_never_listed(store: Store, rows: Rows) -> None:
    await store.insert([rows.tag("latest", "x", version=9)])
    key = (rows.registry, rows.repository)
    state = (await store.repository_states([key]))[key]
    assert (state.full, state.present, state.listed_at) == (0, False, None)
    assert state.tags.keys() == {"latest"}


@pytest.mark.parametrize("name", [ODD, "a" * 1024, "-- x", "'; DROP TABLE tags; --"])
async def test_any_name_is_kept_and_found(store: Store, rows: Rows, name: str) -> None:
    tag = rows.tag(name, "x", repository=name)
    await store.insert([tag])
    key = (rows.registry, name)
    assert (await store.repository_states([key]))[key].tags == {name: tag}
    assert await store.known_repositories(rows.registry) == {name}


async def test_a_higher_version_replaces_and_a_lower_one_never_does(store: Store, rows: Rows) -> None:
    new, old = rows.tag("latest", "new", version=7), rows.tag("latest", "old", version=6)
    await store.insert([new])
    await store.insert([old])
    key = (rows.registry, rows.repository)
    assert (await store.repository_states([key]))[key].tags == {"latest": new}
    newest = rows.tag("latest", "new", version=8, present=False, changed_at=LATER)
    await store.insert([newest])
    assert (await store.repository_states([key]))[key].tags == {"latest": newest}


async def test_the_same_rows_again_change_nothing(store: Store, rows: Rows) -> None:
    moves: list[TagMoveRow] = [rows.move("a", "x", None, 1), rows.move("a", None, "x", 2)]
    for _ in range(3):
        await store.insert(moves)
        await store.insert([rows.image("x")])
    found = await store.query(
        "SELECT count() AS moves FROM tag_history FINAL WHERE registry = {registry:String}",
        {"registry": rows.registry},
    )
    assert found == [{"moves": 2}]
    key = (rows.registry, rows.repository)
    assert len((await store.repository_states([key]))[key].images) == 1


async def test_dates_and_sizes_out_of_range_are_stored_as_not_known(store: Store, rows: Rows) -> None:
    await store.insert([rows.image("x", created=datetime(1, 1, 1, tzinfo=UTC), size_bytes=2**70)])
    await store.insert([rows.image("y", created=datetime(1970, 1, 1, tzinfo=UTC), size_bytes=2**40)])
    key = (rows.registry, rows.repository)
    images = (await store.repository_states([key]))[key].images
    assert (images[digest("x")].created, images[digest("x")].size_bytes) == (None, None)
    assert (images[digest("y")].created, images[digest("y")].size_bytes) == (datetime(1970, 1, 1, tzinfo=UTC), 2**40)


async def test_twelve_thousand_repositories_are_looked_up_at_once(store: Store, rows: Rows) -> None:
    await store.insert([rows.tag("latest", n, repository=f"team/{n}") for n in range(12_000)])
    states = await store.repository_states([(rows.registry, f"team/{n}") for n in range(0, 24_000, 2)])
    assert len(states) == 12_000
    assert all(
        (state.tags["latest"].digest == digest(int(name[5:]))) if int(name[5:]) < 12_000 else not state.tags
        for (_, name), state in states.items()
    )


async def test_an_insert_is_one_block_that_is_seen_whole(store: Store, rows: Rows) -> None:
    many: list[ImageRow] = [rows.image(n, repository=f"team/{n % 50}") for n in range(30_000)]
    before = await _parts(store)
    await store.insert(many)
    new = await _parts(store) - before
    assert 30_000 in {count for _, count in new}


async def _parts(store: Store) -> set[tuple[str, int]]:
    """Every part of `images` there ever was lately: merged ones stay inactive for a while."""
    found = await store.query(
        "SELECT name, rows FROM system.parts WHERE database = currentDatabase() AND table = 'images'"
    )
    return {(row["name"], row["rows"]) for row in found}


async def test_no_rows_are_no_insert(store: Store) -> None:
    before = await _inserts(store)
    await store.insert([])
    assert await _inserts(store) == before


async def _inserts(store: Store) -> int:
    """How many inserts this server has seen."""
    (seen,) = await store.query("SELECT sum(value) AS inserts FROM system.events WHERE event = 'InsertQuery'")
    return int(seen["inserts"])


async def test_decisions_are_found_by_scan_and_the_end_of_a_scan_has_no_repository(store: Store, rows: Rows) -> None:
    first, second = rows.decision(5, decision='{"rows": "ü"}'), rows.decision(6, partition=23, offset=2**40)
    end = rows.decision(5, repository="", topic="scan.progressed")
    await store.insert([first, second, end])
    keys = [(row.registry, row.repository, row.scan) for row in (first, second, end)]
    assert await store.decisions([*keys, (rows.registry, "other", 5)]) == dict(
        zip(keys, (first, second, end), strict=True)
    )
    assert await store.decisions([]) == {}


async def test_of_a_page_the_copy_with_the_lowest_offset_is_kept(store: Store, rows: Rows) -> None:
    await store.insert([rows.page(0, offset=12, body="late")])
    await store.insert([rows.page(0, offset=10, body="first"), rows.page(1, offset=11, last=True)])
    await store.insert([rows.page(0, offset=11, body="between")])
    other = rows.page(0, leg="other", follows="leg", offset=20)
    await store.insert([other])
    reading = (rows.registry, rows.repository, "reading")
    pages = await store.listing_pages([reading, (rows.registry, "x", "reading")], bodies=True)
    assert [(page.offset, page.body) for page in pages] == [(10, "first"), (11, "page 1"), (20, "page 0")]
    assert pages[2] == other


async def test_pages_come_without_bodies_where_only_their_places_matter(store: Store, rows: Rows) -> None:
    await store.insert([rows.page(0, body="x" * 10_000)])
    (page,) = await store.listing_pages([(rows.registry, rows.repository, "reading")], bodies=False)
    assert page == rows.page(0, body="")
    assert await store.listing_pages([], bodies=True) == []


async def test_pages_of_a_scan_are_counted_once_each(store: Store, rows: Rows) -> None:
    await store.insert([rows.page(0), rows.page(1), rows.page(0, scan=2, reading="other")])
    await store.insert([rows.page(1, offset=9)])
    assert await store.pages_stored(rows.registry, 1) == 2
    assert await store.pages_stored(rows.registry, 3) == 0


async def test_of_a_scans_step_the_copy_with_the_lowest_offset_is_kept(store: Store, rows: Rows) -> None:
    failure = Failure(what="latest", reason="forbidden", detail=ODD)
    failed = rows.unit("failed", "a", offset=5, tags=3, requests=9, failures=(failure, failure))
    await store.insert([rows.unit("failed", "a", offset=8, tags=99)])
    await store.insert([failed])
    started = rows.unit("started", reason="manual", request="r1", at=NOW - timedelta(seconds=1))
    await store.insert([started, rows.unit("expected", "a", scan=2)])
    assert await store.scan_units(rows.registry, 1) == [started, failed]


async def test_all_kinds_of_rows_of_the_same_registry_keep_apart(store: Store, rows: Rows) -> None:
    others = Rows(rows.registry[::-1], rows.repository)
    await store.insert([rows.tag("mine", "x"), others.tag("theirs", "y")])
    key = (rows.registry, rows.repository)
    assert (await store.repository_states([key]))[key].tags.keys() == {"mine"}


async def test_queries_of_our_own_take_parameters_and_give_rows_by_name(store: Store) -> None:
    found = await store.query(
        "SELECT {name:String} AS name, {many:Array(String)} AS many", {"name": ODD, "many": ["a", "b'"]}
    )
    assert found == [{"name": ODD, "many": ["a", "b'"]}]
