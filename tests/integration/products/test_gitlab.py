"""GitLab: what groups and projects hold, each once, and tags and platforms by the registry's own API."""

import pytest

from shared.errors import PermanentError
from shared.messages.connection_changed import Connection
from shared.messages.tags_found import FoundTag
from shared.oci.media_types import INDEXES
from tests.fakes.gitlab.places import gitlab_name, project_of
from tests.fakes.gitlab.server import gitlab_server
from tests.fakes.product.registry_v2 import V2_KINDS
from tests.integration.products.opening import names_of, open_dialect_of, pages_of, tags_of
from tests.integration.registry.conftest import connection_to
from tests.support.generator import Estate, generate

LARGEST = "library/alpine"


@pytest.fixture
def estate() -> Estate:
    return generate(seed=5, repositories=12, tags=260, kinds=V2_KINDS)


async def test_groups_subgroups_shared_and_personal_projects_are_each_read_once(estate: Estate) -> None:
    async with gitlab_server(estate) as server, open_dialect_of(server) as dialect:
        names = await names_of(dialect)
    assert names == sorted(map(gitlab_name, estate.repositories))
    assert {name.partition("/")[0] for name in names} == {"corp", "ops", "partner", "reader"}


async def test_an_administrator_is_shown_the_catalog(estate: Estate) -> None:
    async with gitlab_server(estate, admin=True) as server, open_dialect_of(server) as dialect:
        assert await names_of(dialect) == sorted(map(gitlab_name, estate.repositories))
    assert server.desk.counts()["catalog"] >= 1
    assert not any("/api/v4" in asked.path for asked in server.desk.asked)


async def test_that_the_catalog_is_closed_is_found_out_once(estate: Estate) -> None:
    async with gitlab_server(estate) as server, open_dialect_of(server) as dialect:
        await names_of(dialect)
        server.desk.reset()
        await names_of(dialect)
    assert server.desk.asked
    assert not any("_catalog" in asked.path for asked in server.desk.asked)


@pytest.mark.parametrize("page_size", [1, 100])
async def test_tags_are_told_with_digests_and_times(estate: Estate, page_size: int) -> None:
    async with gitlab_server(estate) as server, open_dialect_of(server, page_size=page_size) as dialect:
        pages = await tags_of(dialect, gitlab_name(LARGEST))
    tags = [tag for page in pages for tag in page.tags]
    assert {tag.name: tag.digest for tag in tags} == estate.repositories[LARGEST]
    assert all(tag.created and tag.media_type for tag in tags)
    assert len(pages) == (1 if page_size == 100 else -(-len(tags) // 10))


async def test_without_its_database_the_registry_is_plain_v2(estate: Estate) -> None:
    async with gitlab_server(estate, database=False) as server, open_dialect_of(server) as dialect:
        for _ in range(2):
            tags = [tag for page in await tags_of(dialect, gitlab_name(LARGEST)) for tag in page.tags]
            assert {tag.name for tag in tags} == set(estate.repositories[LARGEST])
        assert {tag.digest for tag in tags} == {None}
    assert sum(asked.path.startswith("/gitlab/v1") and asked.status == 404 for asked in server.desk.asked) == 1


async def test_an_image_is_told_with_its_platform_and_what_is_none_is_not(estate: Estate) -> None:
    repository = gitlab_name(LARGEST)
    async with gitlab_server(estate) as server, open_dialect_of(server) as dialect:
        for page in await tags_of(dialect, repository):
            for tag in page.tags:
                assert tag.digest
                made = estate.manifests[tag.digest]
                told = await dialect.image(repository, tag)
                if made.media_type in INDEXES or made.kind == "artifact":
                    assert told == ()
                else:
                    assert made.platform
                    assert (told[0].digest, told[0].platform.architecture) == (tag.digest, made.platform.architecture)
        gone = FoundTag(name="gone", media_type="application/vnd.oci.image.manifest.v1+json")
        assert await dialect.image(repository, gone) == ()
    assert server.desk.counts()["config"] == server.desk.counts()["manifest"] == 0


async def test_a_deploy_token_is_told_what_to_use_instead_and_may_still_read_named_repositories(
    estate: Estate,
) -> None:
    async with gitlab_server(estate, deploy=True) as server, open_dialect_of(server) as dialect:
        with pytest.raises(PermanentError, match="read_api and read_registry") as refused:
            await names_of(dialect)
        assert refused.value.reason == "product_api_refused"
        assert (await tags_of(dialect, gitlab_name(LARGEST)))[0].tags


async def test_a_project_without_a_registry_is_no_failure(estate: Estate) -> None:
    personal = next(name for name in map(gitlab_name, estate.repositories) if name.startswith("reader/"))
    disabled = frozenset({project_of(personal)})
    async with gitlab_server(estate, disabled=disabled) as server, open_dialect_of(server) as dialect:
        pages = await pages_of(dialect)
    assert not any(page.failures for page in pages)
    assert personal not in {name for page in pages for name in page.names}


def test_basic_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="take tokens only: choose bearer"):
        connection_to("https://registry.example.com", type="gitlab", auth_type="basic")
    assert isinstance(connection_to("https://registry.example.com", type="gitlab", auth_type="bearer"), Connection)
