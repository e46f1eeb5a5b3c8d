"""A real registry becomes an inventory: what a user sees equals what the generator made, and so does what changed."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e import truth
from tests.e2e.agreement import (
    assert_counts,
    assert_events,
    assert_moves_shown,
    assert_no_state_written,
    assert_scan_shown,
    assert_shown,
    told_by,
)
from tests.e2e.tallyman_commands import Tallyman
from tests.support.generator import WITHOUT_TAGS, Estate, generate
from tests.support.generator_storage import Storage
from tests.support.registry import Registry, memory_folder, running_registry

REPOSITORIES, TAGS = 64, 2_000
LARGEST = "library/alpine"
EMPTIED = "team-16/service.16"  # has fewer tags than a fuse minds


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
    await assert_no_state_written(tallyman, second["scan_id"])
    more = await assert_events(tallyman, second, registry.url, [], before=events)

    change(estate, storage)
    third = await tallyman.load(registry.url)
    told = truth.changes(first_look, estate)
    assert Counter(event.type for event in told).keys() == {
        *("image.discovered", "image.removed", "tag.created", "tag.moved", "tag.removed")
    }
    assert_counts(third, estate, told)
    await assert_shown(tallyman, "estate", estate, first_look)
    await assert_scan_shown(tallyman, third)
    await assert_moves_shown(tallyman, third["scan_id"], told)
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
    assert (held["status"], held["removed"], held["failed"]) == ("held", 0, 1)
    await assert_shown(tallyman, "emptied", before)
    (waiting,) = (await tallyman("scan", "confirm", "emptied", "--show", "--json")).objects()[0]
    assert (waiting["repository"], waiting["scan_id"]) == (largest, held["scan_id"])
    (why,) = await tallyman.sql(
        f"SELECT * FROM scan_failures WHERE registry = 'emptied' AND scan_id = {held['scan_id']}"
    )
    assert (why["repository"], why["what"], why["reason"]) == (largest, largest, "held")
    assert why["detail"].startswith(f"{gone} of {gone + 2} tags would be removed")
    assert "tallyman scan confirm" in why["detail"]

    (confirmed,) = (await tallyman("scan", "confirm", "emptied", "--wait", "--json")).objects()

    assert (confirmed["status"], confirmed["kind"], confirmed["repositories"]) == ("complete", "repository", 1)
    await assert_shown(tallyman, "emptied", estate, before)
    assert (await tallyman("scan", "confirm", "emptied", "--show", "--json")).objects() == [[]]
    assert "Nothing of emptied waits" in (await tallyman("scan", "confirm", "emptied", code=2)).err
    told = await tallyman.rows("events", "--type", "tag", "--type", "image")
    changed = [
        one for one in told if one["data"]["registry"] == "emptied" and one["data"]["scan_id"] > first["scan_id"]
    ]
    assert Counter(map(told_by, changed)) == Counter(truth.changes(before, estate))


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

    assert (held["status"], held["removed"], held["failed"]) == ("held", 0, len(gone))
    await assert_scan_shown(tallyman, held)
    await assert_shown(tallyman, "shrunk", before)
    why = await tallyman.sql(f"SELECT * FROM scan_failures WHERE registry = 'shrunk' AND scan_id = {held['scan_id']}")
    assert sorted(row["repository"] for row in why) == sorted(gone)
    assert {row["reason"] for row in why} == {"held"}

    (one,) = (await tallyman("scan", "confirm", "shrunk", "--repository", gone[0], "--wait", "--json")).objects()
    assert (one["status"], one["repositories"]) == ("complete", 1)
    waiting = await tallyman.sql("SELECT repository FROM scan_held WHERE registry = 'shrunk'")
    assert {row["repository"] for row in waiting} == set(gone[1:])

    allowed = await tallyman.load(registry.url, "--allow-empty")

    assert allowed["status"] == "complete"
    await assert_shown(tallyman, "shrunk", estate, before)
    assert await tallyman.sql("SELECT repository FROM scan_held WHERE registry = 'shrunk'") == []


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
