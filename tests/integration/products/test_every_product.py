"""One suite for all products: whatever the dialect, the inventory is exactly what the registry holds."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.e2e import truth
from tests.fakes.product.registry_v2 import V2_KINDS
from tests.fakes.product.server import ProductServer
from tests.support.generator import Estate, generate
from tests.support.product_loading import Loader, Row, renamed, servers

SMALL_PAGE = 3
LARGEST = "library/alpine"
TIMES = truth.TIMES | {"registry"}


@pytest.fixture
def estate() -> Estate:
    return generate(seed=3, repositories=9, tags=90, kinds=V2_KINDS)


@pytest.fixture(params=sorted(servers()))
async def server(request: pytest.FixtureRequest, estate: Estate) -> AsyncIterator[ProductServer]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(servers()[request.param](estate))


async def assert_exact(loader: Loader, server: ProductServer, *earlier: Estate) -> None:
    """Assert that tags, images and artifacts are those of the estate, each with all that is told of it."""
    estate = renamed(server.estate, server)
    looks = [renamed(look, server) for look in earlier]
    tags = [_plain(row) for row in await loader.rows("current_tags", server, "repository, tag")]
    expected_tags = truth.tag_rows(estate, "")
    assert [_key(row, "tag") for row in tags] == [_key(row, "tag") for row in expected_tags]
    images = await loader.rows("current_images", server, "repository, digest")
    _assert_told(images, truth.image_rows(estate, "", *looks), server)
    artifacts = await loader.rows("current_artifacts", server, "repository, digest")
    told = [(*_key(row, "artifact_type"), sorted(row["tags"])) for row in artifacts]
    assert told == [(*_key(row, "artifact_type"), row["tags"]) for row in truth.artifact_rows(estate, "", *looks)]


def _assert_told(rows: list[Row], expected: list[Row], server: ProductServer) -> None:
    """Assert that the images are those expected; a fact may be missing only where the product does not tell it."""
    assert [_key(row, "media_type") for row in rows] == [_key(row, "media_type") for row in expected]
    missing = {
        "variant": {""} if server.tells.platform and not server.tells.variant else set(),
        "os_version": {""} if server.tells.platform and not server.tells.variant else set(),
    }
    for row, true in zip(rows, expected, strict=True):
        assert sorted(row["tags"]) == true["tags"]
        for name in ("os", "architecture", "variant", "os_version"):
            assert row[name] in {true[name], *missing.get(name, ())}, (name, row, true)
        if true["size_bytes"] is not None and (server.tells.size or not server.tells.platform):
            assert row["size_bytes"] == true["size_bytes"]


def _key(row: Row, what: str) -> tuple[str, str, str]:
    return row["repository"], row["digest"], row[what]


def _plain(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in TIMES}


async def test_a_first_load_tells_exactly_what_the_registry_holds(loader: Loader, server: ProductServer) -> None:
    outcome = await loader.load(server)
    assert (outcome.loaded.status, outcome.failures) == ("complete", ())
    assert outcome.loaded.tags == renamed(server.estate, server).tag_count
    assert outcome.loaded.requests == len(server.desk.asked)
    assert {asked.agent.partition("/")[0] for asked in server.desk.asked} == {"tallyman"}
    await assert_exact(loader, server)


async def test_a_second_load_finds_nothing_new_and_reads_no_manifest(loader: Loader, server: ProductServer) -> None:
    await loader.load(server)
    server.desk.reset()
    second = await loader.load(server)
    counts = server.desk.counts()
    assert second.loaded.status == "complete"
    assert (counts["manifest"], counts["config"]) == (0, 0)
    assert (second.loaded.discovered, second.loaded.removed) == (0, 0)
    assert await loader.state_rows(server, second.loaded.scan_id) == 0
    await assert_exact(loader, server)


async def test_what_was_moved_made_and_deleted_is_found(loader: Loader, server: ProductServer, estate: Estate) -> None:
    await loader.load(server)
    before = truth.snapshot(estate)
    tags = sorted(estate.repositories[LARGEST])
    estate.move_tag(LARGEST, tags[0], estate.new_image(LARGEST))
    estate.move_tag(LARGEST, "brand-new", estate.new_image(LARGEST))
    estate.delete_tag(LARGEST, tags[1])
    estate.delete_repository(sorted(name for name, held in estate.repositories.items() if held)[0])
    third = await loader.load(server)
    told = truth.changes(renamed(before, server), renamed(estate, server))
    assert third.loaded.status == "complete"
    assert (third.loaded.discovered, third.loaded.removed) == (truth.discovered(told), truth.removed(told))
    await assert_exact(loader, server, before)


async def test_small_pages_tell_the_same(loader: Loader, server: ProductServer) -> None:
    outcome = await loader.load(server, page_size=SMALL_PAGE)
    assert outcome.loaded.status == "complete"
    await assert_exact(loader, server)


async def test_tokens_that_expired_are_fetched_anew(loader: Loader, server: ProductServer) -> None:
    await loader.load(server)
    server.expire_tokens()
    assert (await loader.load(server)).loaded.status == "complete"
    await assert_exact(loader, server)


async def test_too_many_requests_are_sent_again_later(loader: Loader, server: ProductServer) -> None:
    server.desk.limited = 1
    assert (await loader.load(server)).loaded.status == "complete"
    await assert_exact(loader, server)


@pytest.mark.parametrize("trouble", ["forbidden", "broken"])
async def test_a_repository_that_cannot_be_read_is_told_and_nothing_of_it_is_removed(
    loader: Loader, server: ProductServer, trouble: str
) -> None:
    assert (await loader.load(server)).loaded.status == "complete"
    troubled = getattr(server.desk, trouble)
    troubled.add(server.name_of(LARGEST))
    partial = await loader.load(server)
    assert partial.loaded.status == "partial", partial
    assert partial.failures
    assert partial.loaded.removed == 0
    await assert_exact(loader, server)
    troubled.clear()
    assert (await loader.load(server)).loaded.status == "complete"


async def test_a_wrong_password_is_shown_once_and_removes_nothing(loader: Loader, server: ProductServer) -> None:
    await loader.load(server)
    server.desk.reset()
    wrong = await loader.load(server, password=loader.encrypted("not the right one"))
    assert wrong.loaded.status in ("failed", "partial")
    assert wrong.loaded.removed == 0
    signed = [asked for asked in server.desk.asked if asked.signed]
    assert len(signed) <= 1, signed
    await assert_exact(loader, server)
