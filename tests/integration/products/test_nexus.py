"""Nexus: whole docker repositories by their components, nothing counted twice, and no account ever locked out."""

import pytest

from shared.errors import PermanentError
from shared.registry.errors import CredentialsNeeded, SignInRejected
from shared.registry.plan import Size
from tests.fakes.nexus.server import GROUP, SHELVES, connector_server, nexus_name, nexus_server, shelf_of
from tests.fakes.product.registry_v2 import V2_KINDS
from tests.integration.products.opening import names_of, open_dialect_of, pages_of, tags_of
from tests.support.generator import Estate, generate

LARGEST = "library/alpine"


@pytest.fixture
def estate() -> Estate:
    return generate(seed=5, repositories=7, tags=260, kinds=V2_KINDS)


def tagged(estate: Estate) -> list[str]:
    return sorted(nexus_name(name) for name, tags in estate.repositories.items() if tags)


@pytest.mark.parametrize("new", [True, False])
async def test_every_shelf_is_listed_whole_and_the_group_not_again(estate: Estate, new: bool) -> None:
    async with nexus_server(estate, new) as server, open_dialect_of(server) as dialect:
        listings = [listing for page in await pages_of(dialect) for listing in page.listings]
    assert sorted(listing.repository for listing in listings) == tagged(estate)
    for listing in listings:
        held = estate.repositories[listing.repository.partition("/")[2]]
        assert {tag.name: tag.digest for tag in listing.tags} == held
        assert all(tag.created for tag in listing.tags)
        for manifest in listing.told:
            made = estate.manifests[manifest.digest]
            assert (manifest.kind, made.kind) == ("image", "image")
            assert made.platform
            assert (manifest.platform.os, manifest.platform.architecture) == (
                made.platform.os,
                made.platform.architecture,
            )
        images = {digest for digest in held.values() if estate.manifests[digest].kind == "image"}
        assert {manifest.digest for manifest in listing.told} == (images if new else set())


async def test_a_long_shelf_gives_signs_of_life(estate: Estate) -> None:
    estate.repositories = {LARGEST: {f"v{number}": estate.new_image(LARGEST) for number in range(250)}}
    async with nexus_server(estate, new=False) as server, open_dialect_of(server) as dialect:
        pages = await pages_of(dialect)
    assert any(not page.listings and not page.names for page in pages[1:])


async def test_a_shelf_that_forbids_its_components_is_named_by_its_catalog(estate: Estate) -> None:
    async with nexus_server(estate, components=False) as server, open_dialect_of(server) as dialect:
        pages = await pages_of(dialect)
        assert not any(page.listings or page.failures for page in pages)
        assert sorted(name for page in pages for name in page.names) == sorted(map(nexus_name, estate.repositories))
        tags = [tag.name for page in await tags_of(dialect, nexus_name(LARGEST)) for tag in page.tags]
        assert set(tags) == set(estate.repositories[LARGEST])


async def test_the_links_of_older_servers_that_lack_the_path_are_followed_all_the_same(estate: Estate) -> None:
    async with nexus_server(estate, new=False) as server, open_dialect_of(server, page_size=7) as dialect:
        tags = [tag.name for page in await tags_of(dialect, nexus_name(LARGEST)) for tag in page.tags]
        assert set(tags) == set(estate.repositories[LARGEST])


async def test_a_shelf_that_breaks_is_told_and_the_others_are_read(estate: Estate) -> None:
    async with nexus_server(estate) as server, open_dialect_of(server) as dialect:
        server.desk.broken.add(nexus_name(LARGEST))
        pages = await pages_of(dialect)
    (failure,) = [failure for page in pages for failure in page.failures]
    assert (failure.what, failure.reason) == (shelf_of(LARGEST), "registry_unavailable")
    others = {name.partition("/")[0] for name in tagged(estate)} - {shelf_of(LARGEST)}
    assert {listing.repository.partition("/")[0] for page in pages for listing in page.listings} == others


async def test_a_member_of_a_group_that_the_account_does_not_see_is_told(estate: Estate) -> None:
    hidden = frozenset({"docker-team"})
    async with nexus_server(estate, settings=True, hidden=hidden) as server, open_dialect_of(server) as dialect:
        failures = [failure for page in await pages_of(dialect) for failure in page.failures]
    assert [(failure.what, failure.reason) for failure in failures] == [(GROUP, "group_member_hidden")]
    assert "docker-team" in failures[0].detail


async def test_a_group_alone_is_read_itself(estate: Estate) -> None:
    async with nexus_server(estate, hidden=frozenset(SHELVES)) as server, open_dialect_of(server) as dialect:
        expected = sorted(f"{GROUP}/{name}" for name, tags in estate.repositories.items() if tags)
        assert await names_of(dialect) == expected


@pytest.mark.parametrize(("new", "error"), [(True, CredentialsNeeded), (False, PermanentError)])
async def test_a_guests_empty_list_is_not_an_empty_server(
    estate: Estate, new: bool, error: type[PermanentError]
) -> None:
    async with nexus_server(estate, new) as server, open_dialect_of(server, username=None, password=None) as dialect:
        with pytest.raises(error, match=r"account|user name"):
            await names_of(dialect)


async def test_one_wrong_password_is_one_request_and_locks_nobody_out(estate: Estate) -> None:
    async with nexus_server(estate) as server:
        async with open_dialect_of(server, password="wrong") as dialect:
            for _ in range(4):
                with pytest.raises(SignInRejected):
                    await names_of(dialect)
                with pytest.raises(SignInRejected):
                    await dialect.tags(nexus_name(LARGEST))
                with pytest.raises(SignInRejected):
                    await dialect.manifest(nexus_name(LARGEST), "latest")
        assert sum(asked.signed for asked in server.desk.asked) == 1
        async with open_dialect_of(server) as dialect:
            assert await names_of(dialect) == tagged(estate)


async def test_a_connectors_address_is_plain_v2(estate: Estate) -> None:
    async with connector_server(estate) as server, open_dialect_of(server) as dialect:
        assert await names_of(dialect) == sorted(estate.repositories)
        tag, digest = next(iter(estate.repositories[LARGEST].items()))
        assert (await dialect.manifest(LARGEST, tag)).digest == digest


@pytest.mark.parametrize(("new", "each"), [(True, "100 a page"), (False, "10 a page")])
async def test_the_plan_says_which_generation_it_is(estate: Estate, new: bool, each: str) -> None:
    async with nexus_server(estate, new) as server, open_dialect_of(server) as dialect:
        plan = await dialect.plan(Size(repositories=7, tags=260))
    assert each in plan.steps[0].way
    assert plan.requests == 1 + 4 + (3 if new else 26)
