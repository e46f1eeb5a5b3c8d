"""GitFlic: V2 by its own names; a closed catalog says what to do instead."""

import httpx
import pytest

from shared.errors import PermanentError
from shared.registry.answer import Answer
from shared.registry.dialect import Signs
from shared.registry.dialects import gitflic
from shared.registry.wire.headers import Headers
from tests.fakes.gitflic.server import gitflic_name, gitflic_server
from tests.fakes.product.registry_v2 import V2_KINDS
from tests.integration.products.opening import names_of, open_dialect_of, tags_of
from tests.support.generator import Estate, generate


@pytest.fixture
def estate() -> Estate:
    return generate(seed=5, repositories=5, tags=60, kinds=V2_KINDS)


@pytest.mark.parametrize("tokens", [False, True])
async def test_an_open_catalog_is_read_whichever_way_it_asks_to_sign_in(estate: Estate, tokens: bool) -> None:
    async with gitflic_server(estate, tokens=tokens) as server, open_dialect_of(server) as dialect:
        assert await names_of(dialect) == sorted(map(gitflic_name, estate.repositories))


@pytest.mark.parametrize("tokens", [False, True])
async def test_a_closed_catalog_says_which_names_to_give_and_named_repositories_load(
    estate: Estate, tokens: bool
) -> None:
    async with gitflic_server(estate, tokens=tokens, catalog=False) as server, open_dialect_of(server) as dialect:
        with pytest.raises(PermanentError, match="project/OWNER/PROJECT/IMAGE") as closed:
            await names_of(dialect)
        assert closed.value.reason == "catalog_closed"
        (page,) = await tags_of(dialect, gitflic_name("library/alpine"))
        assert {tag.name for tag in page.tags} == set(estate.repositories["library/alpine"])


@pytest.mark.parametrize(
    ("host", "challenge", "is_it"),
    [
        ("https://registry.gitflic.ru", "", True),
        ("https://images.example.com", 'Bearer realm="https://gitflic.example.com/token"', True),
        ("https://images.example.com", 'Bearer realm="https://tokens.example.com/"', False),
    ],
)
async def test_it_is_recognised_by_its_name_alone(host: str, challenge: str, is_it: bool) -> None:
    async def ask(path: str) -> Answer:
        raise AssertionError(path)

    root = Answer(httpx.URL(f"{host}/v2/"), 401, Headers({"WWW-Authenticate": challenge}), b"")
    assert bool(await gitflic.recognised(Signs(host, root, ask))) is is_it
