"""Harbor: all is told by its API, no right to the catalog is needed, and nothing counts as a pull that need not."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from shared.messages.tags_found import FoundTag
from shared.oci.digest import Digest
from shared.registry.errors import CursorLost, Forbidden, ManifestGone, RepositoryGone, SignInRejected
from tests.fakes.harbor.server import Harbor, harbor_name, harbor_server
from tests.fakes.product.desk import serving
from tests.fakes.product.registry_v2 import V2_KINDS
from tests.fakes.product.server import ProductServer
from tests.integration.products.opening import names_of, open_dialect_of, tags_of
from tests.support.generator import Estate, generate
from tests.support.product_loading import Loader

LARGEST = "library/alpine"


@pytest.fixture
def estate() -> Estate:
    return generate(seed=5, repositories=6, tags=260, kinds=V2_KINDS)


@pytest.fixture
async def server(estate: Estate) -> AsyncIterator[ProductServer]:
    async with harbor_server(estate) as running:
        yield running


async def test_repositories_and_tags_are_told_without_the_catalog(server: ProductServer, estate: Estate) -> None:
    async with open_dialect_of(server) as dialect:
        assert await names_of(dialect) == sorted(map(harbor_name, estate.repositories))
        for name, tags in estate.repositories.items():
            (page,) = await tags_of(dialect, harbor_name(name))
            assert {tag.name: tag.digest for tag in page.tags} == tags
    assert server.desk.counts()["catalog"] == 0
    assert {asked.kind for asked in server.desk.asked} == {"api", "tags"}


async def test_images_and_indexes_are_told_with_platforms_and_variants(server: ProductServer, estate: Estate) -> None:
    async with open_dialect_of(server) as dialect:
        (page,) = await tags_of(dialect, LARGEST)
    told = {manifest.digest: manifest for manifest in page.told}
    indexes = [digest for digest in estate.repositories[LARGEST].values() if estate.manifests[digest].kind == "index"]
    assert indexes
    for digest in indexes:
        made = estate.manifests[digest]
        if all(child.platform for child in made.children):
            assert {child.digest: child.platform for child in told[digest].children} == {
                child.digest: child.platform for child in made.children
            }
    for digest, manifest in told.items():
        assert (manifest.kind, manifest.media_type) == (
            estate.manifests[digest].kind,
            estate.manifests[digest].media_type,
        )


async def test_a_second_load_counts_as_no_pull_and_a_first_only_where_nothing_else_tells(
    loader: Loader, server: ProductServer, estate: Estate
) -> None:
    assert (await loader.load(server)).loaded.status == "complete"
    kinds = {estate.manifests[Digest(pull.partition("@")[2])].kind for pull in server.pulls}
    plain = [pull for pull in server.pulls if estate.manifests[Digest(pull.partition("@")[2])].kind == "image"]
    assert kinds <= {"artifact", "index"}
    assert plain == []
    server.pulls.clear()
    assert (await loader.load(server)).loaded.status == "complete"
    assert server.pulls == []


async def test_an_account_that_may_only_pull_is_told_the_names_by_v2(estate: Estate) -> None:
    async with harbor_server(estate, lists=False) as server, open_dialect_of(server, page_size=50) as dialect:
        tags = [tag for page in await tags_of(dialect, LARGEST) for tag in page.tags]
        assert {tag.name for tag in tags} == set(estate.repositories[LARGEST])
        assert {tag.digest for tag in tags} == {None}
        server.desk.forbidden.add(LARGEST)
        with pytest.raises(Forbidden):
            await dialect.tags(LARGEST)


async def test_a_wrong_password_is_shown_once(server: ProductServer) -> None:
    async with open_dialect_of(server, password="wrong") as dialect:
        for _ in range(3):
            with pytest.raises(SignInRejected):
                await names_of(dialect)
            with pytest.raises(SignInRejected):
                await dialect.tags(LARGEST)
    assert sum(asked.signed for asked in server.desk.asked) == 1


async def test_a_repository_that_is_gone_is_told_so_by_its_own_404(server: ProductServer) -> None:
    async with open_dialect_of(server) as dialect:
        with pytest.raises(RepositoryGone):
            await dialect.tags("library/nothing")


async def test_a_signature_without_a_tag_is_gone(server: ProductServer, estate: Estate) -> None:
    signed = next(tag for tags in estate.repositories.values() for tag in tags if tag.endswith(".sig"))
    repository = next(name for name, tags in estate.repositories.items() if signed in tags)
    async with open_dialect_of(server) as dialect:
        assert await dialect.image(harbor_name(repository), FoundTag(name=signed)) == ()
        with pytest.raises(ManifestGone):
            await dialect.image(LARGEST, FoundTag(name=f"sha256-{'0' * 64}.sig"))
    assert server.pulls == []


@pytest.mark.parametrize("changes", [1, 2])
async def test_a_list_that_changes_while_it_is_read_is_read_once_more(estate: Estate, changes: int) -> None:
    harbor = Harbor(estate)
    asked = 0

    async def changing(request: web.Request) -> web.Response:
        nonlocal asked
        asked += request.query["page"] == "1"
        if request.query["page"] == "2" and asked <= changes:
            estate.move_tag(LARGEST, f"pushed-{asked}", estate.new_image(LARGEST))
        return await harbor._artifacts(request)

    path = "/api/v2.0/projects/{project}/repositories/{repository}/artifacts"
    async with serving(harbor.desk, [web.get(path, changing), *harbor.routes()]) as url:
        server = ProductServer(url, harbor.desk, estate, {"type": "harbor", "page_size": 20})
        async with open_dialect_of(server) as dialect:
            if changes == 1:
                (page,) = await tags_of(dialect, LARGEST)
                assert {tag.name for tag in page.tags} == set(estate.repositories[LARGEST])
            else:
                with pytest.raises(CursorLost):
                    await dialect.tags(LARGEST)
