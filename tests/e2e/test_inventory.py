"""A real registry becomes an inventory: what a user sees equals what the generator made, and so does what changed."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.e2e import truth
from tests.e2e.tallyman_commands import Tallyman
from tests.e2e.truth import Told
from tests.support.generator import WITHOUT_TAGS, Estate, generate
from tests.support.generator_storage import Storage
from tests.support.registry import Registry, memory_folder, running_registry

Row = dict[str, Any]

REPOSITORIES, TAGS = 64, 2_000
LARGEST = "library/alpine"
EMPTIED = "team-16/service.16"  # has fewer tags than a fuse minds
STATE = ("images", "tags", "tag_history", "index_children")


@pytest.fixture
def estate() -> Estate:
    return generate(seed=7, repositories=REPOSITORIES, tags=TAGS)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with memory_folder() as folder, running_registry(folder) as running:
        yield running


async def test_an_estate_is_told_exactly_then_nothing_then_what_changed(
    tallyman: Tallyman, registry: Registry, estate: Estate
) -> None:
    storage = Storage(registry.storage)
    storage.write(estate)
    first_look = truth.snapshot(estate)
    empty = Estate({}, estate.contents)

    first = await tallyman.load(registry.url, "--name", "estate")
    assert_counts(first, estate, truth.changes(empty, first_look))
    await assert_shown(tallyman, "estate", estate)
    await assert_scan_shown(tallyman, first)
    events = await assert_events(tallyman, first, registry.url, truth.changes(empty, first_look))

    second = await tallyman.load(registry.url)
    assert_counts(second, estate, [])
    assert second["requests"] <= 1.05 * TAGS + 2 * REPOSITORIES
    await assert_shown(tallyman, "estate", estate)
    await assert_no_state_written(tallyman, int(second["scan_id"]))
    more = await assert_events(tallyman, second, registry.url, [], before=events)

    change(estate, storage)
    third = await tallyman.load(registry.url)
    told = truth.changes(first_look, estate)
    assert Counter(event.type for event in told).keys() == {
        *("image.discovered", "image.removed", "tag.created", "tag.moved", "tag.removed")
    }
    assert_counts(third, estate, told)
    await assert_shown(tallyman, "estate", estate, first_look)
    await assert_moves_shown(tallyman, int(third["scan_id"]), told)
    await assert_events(tallyman, third, registry.url, told, before=[*events, *more])


def change(estate: Estate, storage: Storage) -> None:
    """Move, make and delete tags, delete repositories, empty one: a few of each, none so many that a fuse trips."""

    def put(repository: str, tag: str) -> None:
        estate.move_tag(repository, tag, estate.new_image(repository))
        storage.put_tag(estate, repository, tag)

    def delete(repository: str, tag: str) -> None:
        estate.delete_tag(repository, tag)
        storage.delete_tag(repository, tag)

    plain = [tag for tag in estate.repositories[LARGEST] if not tag.startswith("sha256-")]  # cosign's say what they are
    for tag in plain[:40]:
        put(LARGEST, tag)
    for tag in plain[40:90]:
        delete(LARGEST, tag)
    for number in range(5):
        put("a/b", f"brand-new-{number}")
    put(WITHOUT_TAGS, "first")
    estate.repositories["team-new/service"] = {}
    put("team-new/service", "1.0")
    for tag in list(estate.repositories[EMPTIED]):
        delete(EMPTIED, tag)
    for repository in ("a/b/c/d/e/f", "team-1/service.1", "team-2/service.2"):
        estate.delete_repository(repository)
        storage.delete_repository(repository)


async def test_an_emptied_repository_is_held_until_a_person_allows_it(tallyman: Tallyman, registry: Registry) -> None:
    estate = generate(seed=8, repositories=4, tags=60)
    storage = Storage(registry.storage)
    storage.write(estate)
    before = truth.snapshot(estate)
    first = await tallyman.load(registry.url, "--name", "emptied")
    await assert_events(tallyman, first, registry.url, truth.changes(Estate({}, estate.contents), before))
    (largest,) = [name for name, tags in estate.repositories.items() if len(tags) > 25]
    for tag in list(estate.repositories[largest])[2:]:
        estate.delete_tag(largest, tag)
        storage.delete_tag(largest, tag)

    held = await tallyman.load(registry.url, code=3)

    gone = len(before.repositories[largest]) - 2
    assert (held["status"], held["removed"], held["failed"]) == ("partial", 0, 1)
    await assert_shown(tallyman, "emptied", before)
    (why,) = await tallyman.sql(
        f"SELECT * FROM scan_failures WHERE registry = 'emptied' AND scan_id = {held['scan_id']}"
    )
    assert (why["repository"], why["what"], why["reason"]) == (largest, largest, "held")
    assert why["detail"].startswith(f"{gone} of {gone + 2} tags would be removed")
    assert "--allow-empty" in why["detail"]

    allowed = await tallyman.load(registry.url, "--allow-empty")

    assert_counts(allowed, estate, truth.changes(before, estate))
    await assert_shown(tallyman, "emptied", estate, before)


async def test_a_catalog_that_lost_most_repositories_is_held_until_a_person_allows_it(
    tallyman: Tallyman, registry: Registry
) -> None:
    estate = generate(seed=9, repositories=30, tags=60)
    storage = Storage(registry.storage)
    storage.write(estate)
    before = truth.snapshot(estate)
    await tallyman.load(registry.url, "--name", "shrunk")
    gone = list(estate.repositories)[:20]
    for repository in gone:
        estate.delete_repository(repository)
        storage.delete_repository(repository)

    held = await tallyman.load(registry.url, code=3)

    assert (held["status"], held["removed"]) == ("partial", 0)
    await assert_shown(tallyman, "shrunk", before)
    why = await tallyman.sql(f"SELECT * FROM scan_failures WHERE registry = 'shrunk' AND scan_id = {held['scan_id']}")
    assert sorted(row["repository"] for row in why) == sorted(gone)
    assert {row["reason"] for row in why} == {"held"}

    allowed = await tallyman.load(registry.url, "--allow-empty")

    assert_counts(allowed, estate, truth.changes(before, estate))
    await assert_shown(tallyman, "shrunk", estate, before)


async def test_what_comes_back_is_told_as_reappeared(tallyman: Tallyman, registry: Registry) -> None:
    estate = generate(seed=10, repositories=3, tags=10)
    storage = Storage(registry.storage)
    storage.write(estate)
    full = truth.snapshot(estate)
    await tallyman.load(registry.url, "--name", "returning")
    estate.delete_repository(LARGEST)
    storage.delete_repository(LARGEST)
    without = truth.snapshot(estate)
    second = await tallyman.load(registry.url)
    assert_counts(second, without, truth.changes(full, without))
    events = [event for event in await tallyman.rows("events") if event["data"]["registry"] == "returning"]
    estate.repositories[LARGEST] = dict(full.repositories[LARGEST])
    storage.write(estate)

    third = await tallyman.load(registry.url)

    told = truth.changes(without, full, ever=[full])
    assert any(event.type == "image.reappeared" for event in told)
    assert_counts(third, full, told)
    await assert_shown(tallyman, "returning", full)
    await assert_events(tallyman, third, registry.url, told, before=events)


def assert_counts(told: Row, estate: Estate, events: list[Told]) -> None:
    """Assert that a load told the estate's numbers and those of the events."""
    expected = truth.counts(estate) | {
        "status": "complete",
        "discovered": truth.discovered(events),
        "removed": truth.removed(events),
    }
    assert {name: told[name] for name in expected} == expected


async def assert_shown(tallyman: Tallyman, registry: str, estate: Estate, *earlier: Estate) -> None:
    """Assert that images, tags and artifacts are shown as the estate has them, in this order, and no others."""
    images = await tallyman.rows("images", "--registry", registry)
    assert without_times(images) == truth.image_rows(estate, registry, *earlier)
    assert without_times(await tallyman.rows("tags", "--registry", registry)) == truth.tag_rows(estate, registry)
    artifacts = f"SELECT * FROM current_artifacts WHERE registry = '{registry}' ORDER BY repository, digest"
    assert without_times(await tallyman.sql(artifacts)) == truth.artifact_rows(estate, registry, *earlier)


def without_times(rows: list[Row]) -> list[Row]:
    assert all(row[name] for row in rows for name in row.keys() & truth.TIMES)
    return [{name: value for name, value in row.items() if name not in truth.TIMES} for row in rows]


async def assert_scan_shown(tallyman: Tallyman, told: Row) -> None:
    """Assert that the view of scans tells of the load what the load itself told."""
    (scan,) = await tallyman.sql(f"SELECT * FROM scans WHERE registry = '{told['registry']}'")
    same = told.keys() - {"seconds", "scan_id"}
    assert {name: scan[name] for name in same} == {name: told[name] for name in same}
    assert (str(scan["scan_id"]), scan["reason"]) == (told["scan_id"], "manual")
    assert scan["started_at"] < scan["completed_at"]


async def assert_no_state_written(tallyman: Tallyman, scan: int) -> None:
    """Assert that the scan wrote no row of state but the listings'."""
    for table in STATE:
        written = f"SELECT count() AS rows FROM {table} INNER JOIN registries USING registry WHERE name = 'estate'"
        assert await tallyman.sql(f"{written} AND {table}.version = {scan}") == [{"rows": 0}], table


async def assert_moves_shown(tallyman: Tallyman, scan: int, told: list[Told]) -> None:
    """Assert that the history shows the scan's tag events, and only those."""
    moves = await tallyman.sql(f"SELECT * FROM tag_moves WHERE registry = 'estate' AND scan = {scan}")
    assert Counter((f"{m['repository']}:{m['tag']}", m["from_digest"], m["to_digest"]) for m in moves) == Counter(
        (event.subject, event.before or "", event.after or "") for event in told if event.type.startswith("tag.")
    )


async def assert_events(
    tallyman: Tallyman, load: Row, host: str, expected: list[Told], before: Sequence[Row] = ()
) -> list[Row]:
    """Assert that, after those before, exactly the expected events and the scan's end were told; return them."""
    every = [event for event in await tallyman.rows("events") if event["data"]["registry"] == load["registry"]]
    assert len({event["id"] for event in every}) == len(every)
    known = {event["id"] for event in before}
    events = [event for event in every if event["id"] not in known]
    assert len(events) == len(every) - len(before)
    for event in events:
        assert_well_formed(event, load, host)
    ends = [event for event in events if event["type"] == "dev.tallyman.scan.completed"]
    assert [(end["subject"], end["data"]["status"]) for end in ends] == [(f"scan/{load['scan_id']}", "complete")]
    assert {name: ends[0]["data"][name] for name in ("tags", "discovered", "removed", "requests")} == {
        name: load[name] for name in ("tags", "discovered", "removed", "requests")
    }
    assert Counter(map(told_by, events)) - Counter(map(told_by, ends)) == Counter(expected)
    return events


def told_by(event: Row) -> Told:
    data = event["data"]
    kind = event["type"].removeprefix("dev.tallyman.")
    return Told(
        kind, event["subject"], data.get("from"), data.get("to"), tuple(data["tags"]) if "digest" in data else ()
    )


def assert_well_formed(event: Row, load: Row, host: str) -> None:
    """Assert what CloudEvents 1.0 asks of an event, and that its reader can find what it is about."""
    data = event["data"]
    assert event["specversion"] == "1.0"
    assert uuid.UUID(event["id"]).version == 5
    assert event["source"] == f"urn:tallyman:registry:{data['registry_id']}"
    assert event["datacontenttype"] == "application/json"
    assert event["time"].endswith("Z")
    assert (data["host"], str(data["scan_id"])) == (host, load["scan_id"])
    digest = data.get("digest") or data.get("to")
    if digest:
        assert data["reference"] == f"{host.partition('://')[2]}/{data['repository']}@{digest}"
