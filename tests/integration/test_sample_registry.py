"""The bundled sample registry, read over HTTP as a registry is."""

from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import ClientSession

from shared.oci.digest import Digest
from shared.oci.manifest import ParsedArtifact, ParsedImage, ParsedIndex, parse_manifest
from shared.oci.media_types import DOCKER_MANIFEST, MANIFESTS, OCI_INDEX
from tallyman.sample import sample_registry
from tallyman.sample.content import sample_content

ACCEPT = {"Accept": ", ".join(MANIFESTS)}


@pytest.fixture(scope="module")
async def registry() -> AsyncIterator[ClientSession]:
    async with sample_registry() as url, ClientSession(url) as session:
        yield session


async def read(registry: ClientSession, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    async with registry.get(path, headers={**ACCEPT, **headers}) as answer:
        return answer.status, answer.headers, await answer.read()


async def listed(registry: ClientSession, path: str, field: str) -> tuple[list[str], int]:
    """All names, by following links, and the number of pages."""
    names: list[str] = []
    pages, following = 0, path
    while following:
        async with registry.get(following) as answer:
            names += (await answer.json())[field]
            following = str(answer.links.get("next", {}).get("url", ""))
            pages += 1
    return names, pages


async def code_of(registry: ClientSession, path: str, **headers: str) -> tuple[int, str]:
    async with registry.get(path, headers=headers) as answer:
        return answer.status, (await answer.json())["errors"][0]["code"]


async def test_it_says_that_it_speaks_registry_v2(registry: ClientSession) -> None:
    status, headers, _ = await read(registry, "/v2/")
    assert (status, headers["Docker-Distribution-Api-Version"]) == (200, "registry/2.0")


async def test_the_catalog_names_every_repository_whatever_the_page_size(registry: ClientSession) -> None:
    expected = sorted(sample_content())
    assert len(expected) == 25
    assert await listed(registry, "/v2/_catalog", "repositories") == (expected, 1)
    assert await listed(registry, "/v2/_catalog?n=7", "repositories") == (expected, 4)
    assert await listed(registry, "/v2/_catalog?n=5", "repositories") == (expected, 5)


async def test_tags_are_listed_whole_or_in_pages(registry: ClientSession) -> None:
    expected = sorted(sample_content()["storefront/web"].tags)
    path = "/v2/storefront/web/tags/list"
    assert await listed(registry, path, "tags") == (expected, 1)
    assert await listed(registry, path + "?n=5", "tags") == (expected, 3)
    assert await listed(registry, "/v2/sandbox/prototype/tags/list", "tags") == ([], 1)


async def test_every_tag_leads_to_manifests_whose_bytes_have_their_digest(registry: ClientSession) -> None:
    kinds = {ParsedImage: 0, ParsedIndex: 0, ParsedArtifact: 0}
    for name, shelf in sample_content().items():
        for tag, digest in shelf.tags.items():
            status, headers, body = await read(registry, f"/v2/{name}/manifests/{tag}")
            assert status == 200
            assert headers["Docker-Content-Digest"] == digest == Digest.of(body)
            parsed = parse_manifest(body, headers["Content-Type"])
            kinds[type(parsed)] += 1
            if isinstance(parsed, ParsedIndex):
                assert {entry.digest for entry in parsed.entries} <= set(shelf.manifests)
                assert len(parsed.entries) >= 2
    assert kinds == {ParsedImage: 27, ParsedIndex: 186, ParsedArtifact: 26}


async def test_every_image_has_its_config(registry: ClientSession) -> None:
    for name, shelf in sample_content().items():
        for digest, stored in shelf.manifests.items():
            parsed = parse_manifest(stored.body, stored.media_type)
            if isinstance(parsed, ParsedImage) and parsed.config is not None:
                assert parsed.config in shelf.blobs, (name, digest)
    (config, body) = next(iter(sample_content()["legacy/billing"].blobs.items()))
    assert (await read(registry, f"/v2/legacy/billing/blobs/{config}"))[2] == body


async def test_what_the_client_has_already_is_not_sent_again(registry: ClientSession) -> None:
    path = "/v2/storefront/web/manifests/latest"
    _, first, _ = await read(registry, path)
    status, headers, body = await read(registry, path, **{"If-None-Match": first["ETag"]})
    assert (status, headers["Docker-Content-Digest"], body) == (304, first["Docker-Content-Digest"], b"")


async def test_a_head_request_tells_digest_type_and_size_without_a_body(registry: ClientSession) -> None:
    async with registry.head("/v2/storefront/web/manifests/latest", headers=ACCEPT) as answer:
        digest = sample_content()["storefront/web"].tags["latest"]
        assert (answer.status, answer.headers["Docker-Content-Digest"]) == (200, digest)
        assert answer.headers["Content-Type"] == OCI_INDEX
        assert int(answer.headers["Content-Length"]) > 0


async def test_a_manifest_the_client_does_not_accept_is_not_given(registry: ClientSession) -> None:
    path = "/v2/storefront/web/manifests/latest"
    assert await code_of(registry, path, Accept=DOCKER_MANIFEST) == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/no/such/tags/list", 404, "NAME_UNKNOWN"),
        ("/v2/storefront/web/manifests/none", 404, "MANIFEST_UNKNOWN"),
        ("/v2/storefront/web/manifests/sha256:" + "0" * 64, 404, "MANIFEST_UNKNOWN"),
        ("/v2/storefront/web/blobs/sha256:" + "0" * 64, 404, "BLOB_UNKNOWN"),
        ("/v2/_catalog?n=0", 400, "PAGINATION_NUMBER_INVALID"),
        ("/v2/_catalog?n=1001", 400, "PAGINATION_NUMBER_INVALID"),
        ("/v2/_catalog?n=x", 400, "PAGINATION_NUMBER_INVALID"),
    ],
)
async def test_what_it_has_not_or_cannot_do_it_says_in_registry_json(
    registry: ClientSession, path: str, status: int, code: str
) -> None:
    assert await code_of(registry, path) == (status, code)


async def test_it_takes_nothing(registry: ClientSession) -> None:
    async with registry.put("/v2/storefront/web/manifests/latest", data=b"{}") as answer:
        assert answer.status == 405


def test_its_content_is_the_same_at_every_start_and_on_every_machine() -> None:
    assert sample_content() == sample_content()
    newest = sample_content()["storefront/web"].tags["latest"]
    assert newest == "sha256:06e6c8ca90c1ae414b19da0c0bac9649cd8790c7381061e6b24e7d8862693e01"
