"""The generator's truth against what a real registry serves, read with nothing of ours but the parsers."""

import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from yarl import URL

from shared.oci import media_types
from shared.oci.config import parse_config
from shared.oci.manifest import ParsedArtifact, ParsedImage, ParsedIndex, manifest_digest, parse_manifest
from tests.support.generator import Estate, generate
from tests.support.generator_content import KINDS, Made
from tests.support.generator_push import push
from tests.support.generator_storage import Storage
from tests.support.registry import PASSWORD, USERNAME, Registry
from tests.support.token_service import TokenService

CATALOG = "registry:catalog:*"
REPOSITORIES, TAGS = 10, 70


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def basic(password: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(USERNAME, password)}


async def get(
    session: aiohttp.ClientSession, registry: Registry, path: str, *scopes: str
) -> tuple[int, Mapping[str, str], bytes]:
    """Return status, headers and body, asked for with the right user's rights."""
    headers = {"Accept": ", ".join(media_types.MANIFESTS)} | registry.headers(*scopes)
    async with session.get(URL(registry.url + path, encoded=True), headers=headers, ssl=registry.ssl) as answer:
        return answer.status, answer.headers, await answer.read()


async def catalog(session: aiohttp.ClientSession, registry: Registry) -> list[str]:
    """Return all names, read in pages of five."""
    names: list[str] = []
    path = "/v2/_catalog?n=5"
    while path:
        status, headers, body = await get(session, registry, path, CATALOG)
        assert status == 200, body
        names += json.loads(body)["repositories"]
        link = re.match("<(.+)>", headers.get("Link", ""))
        path = link[1] if link else ""
    return names


async def tags(session: aiohttp.ClientSession, registry: Registry, repository: str) -> set[str]:
    """Return the repository's tags; Distribution says NAME_UNKNOWN where there are none."""
    _, _, body = await get(session, registry, f"/v2/{repository}/tags/list", f"repository:{repository}:pull")
    answer: dict[str, Any] = json.loads(body)
    if "errors" in answer:
        assert answer["errors"][0]["code"] == "NAME_UNKNOWN"
    return set(answer.get("tags") or [])


async def assert_same(session: aiohttp.ClientSession, registry: Registry, estate: Estate) -> None:
    """Assert that the registry serves the estate and nothing else."""
    names = await catalog(session, registry)
    assert len(names) == len(set(names))
    assert set(names) == set(estate.repositories)
    await assert_served(session, registry, estate)


async def assert_served(session: aiohttp.ClientSession, registry: Registry, estate: Estate) -> None:
    """Assert that the registry serves the estate's tags, manifests and configs, whatever else it holds."""
    for repository, expected in estate.repositories.items():
        assert await tags(session, registry, repository) == set(expected)
        wanted = expected | {digest: digest for digest in estate.tags_reaching(repository)}
        for reference, digest in wanted.items():
            await assert_manifest(session, registry, repository, reference, estate.manifests[digest])


def small_estate(repository: str) -> Estate:
    """Return an estate of one repository, of a name that no other test uses in a shared registry."""
    estate = generate(seed=4, repositories=2, tags=20)
    return Estate({repository: estate.repositories["library/alpine"]}, estate.contents)


async def assert_manifest(
    session: aiohttp.ClientSession, registry: Registry, repository: str, reference: str, truth: Made
) -> None:
    scope = f"repository:{repository}:pull"
    status, headers, body = await get(session, registry, f"/v2/{repository}/manifests/{reference}", scope)
    assert status == 200, body
    assert headers["Docker-Content-Digest"] == truth.digest
    assert manifest_digest(body, headers["Content-Type"]) == truth.digest
    parsed = parse_manifest(body, headers["Content-Type"])
    assert parsed.media_type == truth.media_type == headers["Content-Type"]
    match parsed:
        case ParsedImage():
            assert (truth.kind, parsed.config, parsed.size_bytes) == ("image", truth.config, truth.size_bytes)
            told: Any = parsed
            if parsed.config:
                status, _, blob = await get(session, registry, f"/v2/{repository}/blobs/{parsed.config}", scope)
                assert status == 200, blob
                told = parse_config(blob)
            assert (told.platform, told.created) == (truth.platform, truth.created)
        case ParsedIndex():
            assert truth.kind == "index"
            assert [(entry.digest, entry.platform) for entry in parsed.entries] == [
                (child.digest, child.platform) for child in truth.children
            ]
        case ParsedArtifact():
            assert (truth.kind, truth.artifact_type, truth.size_bytes) == (
                "artifact",
                parsed.artifact_type,
                parsed.size_bytes,
            )


def test_the_same_seed_gives_the_same_estate() -> None:
    one, same, other = (generate(seed, REPOSITORIES, TAGS) for seed in (1, 1, 2))

    assert (one.repositories, one.manifests) == (same.repositories, same.manifests)
    assert one.repositories != other.repositories
    assert (len(one.repositories), one.tag_count) == (REPOSITORIES, TAGS)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_alone_is_served_as_it_was_generated(
    kind: str, fresh_registry: Registry, session: aiohttp.ClientSession
) -> None:
    estate = generate(seed=3, repositories=3, tags=6, kinds=[kind])

    await push(estate, fresh_registry)

    await assert_same(session, fresh_registry, estate)


async def test_a_pushed_estate_is_served_as_generated(fresh_registry: Registry, session: aiohttp.ClientSession) -> None:
    estate = generate(seed=1, repositories=REPOSITORIES, tags=TAGS)

    await push(estate, fresh_registry)

    await assert_same(session, fresh_registry, estate)


async def test_an_estate_written_to_the_storage_is_served_as_generated_through_all_changes(
    fresh_registry: Registry, session: aiohttp.ClientSession
) -> None:
    estate = generate(seed=2, repositories=REPOSITORIES, tags=TAGS)
    storage = Storage(fresh_registry.storage)
    storage.write(estate)
    await assert_same(session, fresh_registry, estate)

    moved = next(iter(estate.repositories["a/b"]))
    estate.move_tag("a/b", moved, estate.new_image("a/b"))
    storage.put_tag(estate, "a/b", moved)
    estate.move_tag("a/b", "brand-new", estate.new_image("a/b"))
    storage.put_tag(estate, "a/b", "brand-new")
    for tag in list(estate.repositories["x__y"]):
        estate.delete_tag("x__y", tag)
        storage.delete_tag("x__y", tag)
    await assert_same(session, fresh_registry, estate)

    estate.delete_repository("a/b")
    storage.delete_repository("a/b")
    assert "a/b/c/d/e/f" in estate.repositories
    await assert_same(session, fresh_registry, estate)

    estate.repositories["a/b"] = {"back": estate.new_image("a/b")}
    storage.write(estate)
    await assert_same(session, fresh_registry, estate)


async def test_basic_lets_in_the_right_password_only(basic_registry: Registry, session: aiohttp.ClientSession) -> None:
    estate = small_estate("of-the-basic/test")
    await push(estate, basic_registry)

    assert "of-the-basic/test" in await catalog(session, basic_registry)
    await assert_served(session, basic_registry, estate)
    for headers in ({}, basic("wrong")):
        async with session.get(basic_registry.url + "/v2/_catalog", headers=headers) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="tests"'


async def test_tls_is_trusted_with_the_registrys_own_authority_only(
    tls_registry: Registry, session: aiohttp.ClientSession
) -> None:
    estate = small_estate("of-the-tls/test")
    await push(estate, tls_registry)

    assert tls_registry.url.startswith("https://")
    assert "of-the-tls/test" in await catalog(session, tls_registry)
    await assert_served(session, tls_registry, estate)
    with pytest.raises(aiohttp.ClientConnectorCertificateError) as refused:
        await session.get(tls_registry.url + "/v2/")
    assert isinstance(refused.value.certificate_error, ssl.SSLCertVerificationError)


async def ask_token(
    session: aiohttp.ClientSession, service: TokenService, *scopes: str, password: str = PASSWORD
) -> tuple[int, dict[str, Any]]:
    query = [("service", "registry.test"), *(("scope", scope) for scope in scopes)]
    async with session.get(service.realm, params=query, headers=basic(password)) as answer:
        return answer.status, await answer.json()


async def listed_with(session: aiohttp.ClientSession, registry: Registry, token: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"}
    async with session.get(registry.url + "/v2/_catalog", headers=headers) as answer:
        return answer.status, answer.headers.get("WWW-Authenticate", "")


async def test_tokens_of_the_service_let_in(
    token_registry: Registry, token_service: TokenService, session: aiohttp.ClientSession
) -> None:
    estate = generate(seed=6, repositories=3, tags=20)
    await push(estate, token_registry)

    await assert_same(session, token_registry, estate)

    status, challenge = await listed_with(session, token_registry, "")
    assert status == 401
    assert challenge.startswith(f'Bearer realm="{token_service.realm}",service="registry.test",scope="{CATALOG}"')
    status, told = await ask_token(session, token_service, CATALOG, "repository:a/b:pull repository:x__y:pull")
    assert (status, told["expires_in"]) == (200, 300)
    assert await listed_with(session, token_registry, told["token"]) == (200, "")
    assert token_service.requests[-1].scopes == (CATALOG, "repository:a/b:pull", "repository:x__y:pull")


async def test_the_token_service_counts_refuses_and_expires(
    token_registry: Registry, token_service: TokenService, session: aiohttp.ClientSession
) -> None:
    assert (await ask_token(session, token_service, password="wrong"))[0] == 401
    token_service.expire_next(1)
    token_service.fields = ("access_token",)
    token_service.tells_lifetime = False
    _, dead = await ask_token(session, token_service, CATALOG)
    _, alive = await ask_token(session, token_service, CATALOG)
    token_service.refused_scopes.add(CATALOG)
    _, insufficient = await ask_token(session, token_service, CATALOG)

    assert [request.granted for request in token_service.requests] == [False, True, True, True]
    assert dead.keys() == {"access_token"}
    status, challenge = await listed_with(session, token_registry, dead["access_token"])
    assert (status, 'error="invalid_token"' in challenge) == (401, True)
    assert (await listed_with(session, token_registry, alive["access_token"]))[0] == 200
    status, challenge = await listed_with(session, token_registry, insufficient["access_token"])
    assert (status, 'error="insufficient_scope"' in challenge) == (401, True)


async def test_an_open_registry_answers_the_ping_without_a_word(
    open_registry: Registry, session: aiohttp.ClientSession
) -> None:
    status, headers, _ = await get(session, open_registry, "/v2/")

    assert (status, headers["Docker-Distribution-Api-Version"]) == (200, "registry/2.0")
