"""Artifactory: one AQL question in pages for each key, whatever links, offsets and rights do to it."""

from typing import Any

import pytest

from shared.errors import PermanentError
from shared.registry.errors import SignInRejected
from tests.fakes.artifactory.aql import Question, Refused
from tests.fakes.artifactory.server import (
    STORED,
    Artifactory,
    artifactory_name,
    artifactory_server,
    key_of,
    stuck,
    subdomain_server,
)
from tests.fakes.product.desk import serving
from tests.fakes.product.guards import PASSWORD
from tests.fakes.product.registry_v2 import V2_KINDS
from tests.fakes.product.server import ProductServer
from tests.integration.products.opening import names_of, open_dialect_of, pages_of, tags_of
from tests.support.generator import Estate, generate

LARGEST = "library/alpine"


@pytest.fixture
def estate() -> Estate:
    return generate(seed=5, repositories=7, tags=260, kinds=V2_KINDS)


def tagged(estate: Estate) -> list[str]:
    return sorted(artifactory_name(name) for name, tags in estate.repositories.items() if tags)


@pytest.mark.parametrize("page_size", [1, 100])
async def test_every_key_is_listed_whole_and_the_virtual_one_not_again(estate: Estate, page_size: int) -> None:
    async with artifactory_server(estate) as server, open_dialect_of(server, page_size=page_size) as dialect:
        listings = [listing for page in await pages_of(dialect) for listing in page.listings]
    assert sorted(listing.repository for listing in listings) == tagged(estate)
    for listing in listings:
        held = estate.repositories[listing.repository.partition("/")[2]]
        assert {tag.name: tag.digest for tag in listing.tags} == held
        assert all(tag.created for tag in listing.tags)


@pytest.mark.parametrize("host", ["", "/artifactory"])
async def test_the_host_may_be_given_with_its_path_or_without(estate: Estate, host: str) -> None:
    async with artifactory_server(estate) as server, open_dialect_of(server, host=server.url + host) as dialect:
        assert await names_of(dialect) == tagged(estate)


@pytest.mark.parametrize("settings", [{}, {"offsets": True}, {"link": stuck}], ids=["path lost", "offsets", "stuck"])
async def test_without_aql_catalogs_and_tags_are_read_however_their_links_are_broken(
    estate: Estate, settings: dict[str, Any]
) -> None:
    async with (
        artifactory_server(estate, aql=False, **settings) as server,
        open_dialect_of(server, page_size=2) as dialect,
    ):
        assert sorted(set(await names_of(dialect))) == sorted(map(artifactory_name, estate.repositories))
        tags = {tag.name for page in await tags_of(dialect, artifactory_name(LARGEST)) for tag in page.tags}
        assert tags == set(estate.repositories[LARGEST])


async def test_one_keys_own_address_is_plain_v2(estate: Estate) -> None:
    key = key_of(LARGEST)
    async with subdomain_server(estate, key) as server, open_dialect_of(server) as dialect:
        assert await names_of(dialect) == sorted(name for name in estate.repositories if key_of(name) == key)
        tag, digest = next(iter(estate.repositories[LARGEST].items()))
        assert (await dialect.manifest(LARGEST, tag)).digest == digest


async def test_an_access_token_is_shown_as_one(estate: Estate) -> None:
    async with artifactory_server(estate) as server, open_dialect_of(server, auth_type="bearer") as dialect:
        assert await names_of(dialect) == tagged(estate)
    assert not any(asked.signed for asked in server.desk.asked)


async def test_a_key_that_breaks_is_told_and_the_others_are_read(estate: Estate) -> None:
    async with artifactory_server(estate) as server, open_dialect_of(server) as dialect:
        server.desk.broken.add(artifactory_name(LARGEST))
        pages = await pages_of(dialect)
    (failure,) = [failure for page in pages for failure in page.failures]
    assert (failure.what, failure.reason) == (key_of(LARGEST), "registry_unavailable")
    assert {listing.repository.partition("/")[0] for page in pages for listing in page.listings} == {
        name.partition("/")[0] for name in tagged(estate)
    } - {key_of(LARGEST)}


async def test_an_account_that_sees_no_key_is_told_so(estate: Estate) -> None:
    async with artifactory_server(estate, shown=frozenset()) as server, open_dialect_of(server) as dialect:
        with pytest.raises(PermanentError, match="no docker repository"):
            await names_of(dialect)


async def test_a_wrong_password_is_shown_once(estate: Estate) -> None:
    async with artifactory_server(estate) as server, open_dialect_of(server, password="wrong") as dialect:
        for _ in range(3):
            with pytest.raises(SignInRejected):
                await names_of(dialect)
        with pytest.raises(SignInRejected):
            await dialect.manifest(artifactory_name(LARGEST), "latest")
    assert sum(asked.signed for asked in server.desk.asked) == 1


@pytest.mark.parametrize("changes", [1, 2])
async def test_a_key_that_changes_while_it_is_read_is_read_once_more(estate: Estate, changes: int) -> None:
    """What is deleted before an offset moves all that comes after it, and something would be missed."""
    estate.repositories = {LARGEST: {f"v{number:03}": estate.new_image(LARGEST) for number in range(60)}}
    asked = 0

    class Changing(Artifactory):
        def _items(self, key: str) -> list[dict[str, Any]]:
            nonlocal asked
            asked += key == key_of(LARGEST)
            if asked in (2, 4)[:changes] and key == key_of(LARGEST):  # the second page, each time
                estate.delete_tag(LARGEST, min(estate.repositories[LARGEST]))
            return super()._items(key)

    artifactory = Changing(estate)
    async with serving(artifactory.desk, artifactory.routes()) as url:
        server = ProductServer(url, artifactory.desk, estate, {"type": "artifactory", "page_size": 2})
        async with open_dialect_of(server) as dialect:
            pages = await pages_of(dialect)
    listings = {listing.repository: listing for page in pages for listing in page.listings}
    if changes == 1:
        tags = {tag.name for tag in listings[artifactory_name(LARGEST)].tags}
        assert tags == set(estate.repositories[LARGEST])
    else:
        assert [failure.reason for page in pages for failure in page.failures] == ["cursor_lost"]
        assert artifactory_name(LARGEST) not in listings


def test_the_contract_server_refuses_what_aql_would() -> None:
    assert PASSWORD not in STORED
    for text in ("items.find()", 'items.find({"repo":"a"}).limit(1).include("repo","path","name")'):
        with pytest.raises(Refused, match="parse"):
            Question.parse(text)
