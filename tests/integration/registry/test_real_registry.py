"""The client against CNCF Distribution: open, Basic, TLS, and Bearer with a token service."""

import pytest

from shared.oci.digest import Digest
from shared.registry.client import FetchedManifest, RegistryClient, Unchanged
from shared.registry.errors import CertificateRefused, Forbidden, ManifestGone, RepositoryGone, SignInRejected
from shared.registry.meter import metered
from tests.integration.registry.conftest import MakeClient
from tests.support.generator import Estate, generate
from tests.support.generator_push import push
from tests.support.registry import Registry
from tests.support.token_service import TokenService

MISSING = Digest.of(b"nobody has this")


@pytest.fixture(scope="module")
def estate() -> Estate:
    return generate(seed=5, repositories=8, tags=40)


@pytest.fixture
async def filled(fresh_registry: Registry, estate: Estate) -> Registry:
    await push(estate, fresh_registry)
    return fresh_registry


async def catalog_of(client: RegistryClient) -> list[str]:
    names: list[str] = []
    cursor: str | None = None
    while True:
        page = await client.catalog(cursor)
        names += page.names
        if page.cursor is None:
            return names
        cursor = page.cursor


async def tags_of(client: RegistryClient, repository: str) -> list[str]:
    """Return the tags; where there are none, Distribution says so or NAME_UNKNOWN, by how that came to be."""
    try:
        return sorted((await client.tags(repository)).names)
    except RepositoryGone:
        return []


async def test_all_is_read_as_it_was_pushed(filled: Registry, estate: Estate, make_client: MakeClient) -> None:
    client = make_client(filled.url, page_size=3)
    await client.ping()
    assert sorted(await catalog_of(client)) == sorted(estate.repositories)
    for repository, tags in estate.repositories.items():
        assert await tags_of(client, repository) == sorted(tags)
        for tag, digest in tags.items():
            by_tag = await client.manifest(repository, tag)
            by_digest = await client.manifest(repository, digest)
            assert isinstance(by_tag, FetchedManifest)
            assert isinstance(by_digest, FetchedManifest)
            assert by_tag.digest == by_digest.digest == digest
            assert await client.manifest(repository, tag, known=digest) == Unchanged(digest)


async def test_what_does_not_exist_is_said_to_be_gone(
    filled: Registry, estate: Estate, make_client: MakeClient
) -> None:
    client = make_client(filled.url)
    repository = next(name for name, tags in estate.repositories.items() if tags)
    with pytest.raises(RepositoryGone):
        await client.tags("no/such")
    with pytest.raises(ManifestGone):
        await client.manifest(repository, "no-such")
    with pytest.raises(ManifestGone):
        await client.manifest(repository, MISSING)


async def test_a_page_size_the_registry_refuses_is_made_smaller(filled: Registry, make_client: MakeClient) -> None:
    client = make_client(filled.url, page_size=10_000)
    assert await catalog_of(client)


async def test_basic_authentication(basic_registry: Registry, make_client: MakeClient) -> None:
    await make_client(basic_registry.url, basic_registry.password, username=basic_registry.username).ping()
    with pytest.raises(SignInRejected):
        await make_client(basic_registry.url, "wrong", username=basic_registry.username).ping()


async def test_tls_with_a_ca_of_its_own(tls_registry: Registry, make_client: MakeClient) -> None:
    assert tls_registry.authority
    who = {"username": tls_registry.username}
    ca = tls_registry.authority.certificate_file.read_text()
    await make_client(tls_registry.url, tls_registry.password, ca=ca, **who).ping()
    with pytest.raises(CertificateRefused):
        await make_client(tls_registry.url, tls_registry.password, **who).ping()


@pytest.mark.parametrize("auth", ["basic", "bearer"])
async def test_bearer_authentication(
    token_registry: Registry, token_service: TokenService, estate: Estate, make_client: MakeClient, auth: str
) -> None:
    await push(estate, token_registry)
    asked_by_the_push = len(token_service.requests)
    client = make_client(token_registry.url, token_registry.password, username=token_registry.username, auth_type=auth)
    repositories = [name for name, tags in estate.repositories.items() if tags][:3]
    await client.ping()
    assert sorted(await catalog_of(client)) == sorted(estate.repositories)
    for repository in repositories:
        for tag in estate.repositories[repository]:
            await client.manifest(repository, tag)
    asked = token_service.requests[asked_by_the_push:]
    assert [request.scopes for request in asked] == [
        (),
        ("registry:catalog:*",),
        *((f"repository:{repository}:pull",) for repository in repositories),
    ]


async def test_a_wrong_password_is_shown_to_the_token_service_once(
    token_registry: Registry, token_service: TokenService, make_client: MakeClient
) -> None:
    client = make_client(token_registry.url, "wrong", username=token_registry.username, auth_type="bearer")
    for _ in range(3):
        with pytest.raises(SignInRejected):
            await client.tags("a")
    assert len(token_service.requests) == 1


async def test_missing_rights_are_said_to_be_missing(
    token_registry: Registry, token_service: TokenService, make_client: MakeClient
) -> None:
    token_service.refused_scopes.update({"registry:catalog:*", "repository:a:pull"})
    client = make_client(
        token_registry.url, token_registry.password, username=token_registry.username, auth_type="bearer"
    )
    with pytest.raises(Forbidden) as caught:
        await client.catalog()
    assert caught.value.reason == "catalog_forbidden"
    with metered() as meter, pytest.raises(Forbidden):
        await client.tags("a")
    assert meter.requests <= 4
