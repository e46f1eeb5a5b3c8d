"""Conditional reads, found out per registry: an unchanged tag costs one answer without a body where that can be had."""

import pytest

from shared.registry.client import FetchedManifest, Unchanged
from shared.registry.errors import ManifestGone
from tests.fakes.product.registry_v2 import V2_KINDS, V2Rules
from tests.fakes.v2.server import v2_server
from tests.integration.products.opening import open_dialect_of
from tests.support.generator import Estate, generate

REPOSITORY = "library/alpine"


@pytest.fixture
def estate() -> Estate:
    return generate(seed=5, repositories=5, tags=60, kinds=V2_KINDS)


@pytest.mark.parametrize(
    ("rules", "first", "later"),
    [
        (V2Rules(), "unchanged", "unchanged"),
        (V2Rules(conditional=False), "manifest", "head"),
        (V2Rules(conditional=False, digest_header="X-Checksum-Sha256"), "manifest", "head"),
        (V2Rules(conditional=False, heads=False), "manifest", "manifest"),
        (V2Rules(conditional=False, digest_header=""), "manifest", "manifest"),
    ],
    ids=["if-none-match", "head", "head with another header", "neither, no head", "neither, no digest"],
)
async def test_how_to_ask_for_a_known_tag_is_found_out_and_remembered(
    estate: Estate, rules: V2Rules, first: str, later: str
) -> None:
    tags = list(estate.repositories[REPOSITORY].items())[:6]
    async with v2_server(estate, rules) as server, open_dialect_of(server) as dialect:
        for tag, digest in tags:
            server.desk.reset()
            answer = await dialect.manifest(REPOSITORY, tag, digest)
            assert answer.digest == digest
            kind = first if tag == tags[0][0] else later
            if kind == "manifest":
                assert isinstance(answer, FetchedManifest)
                assert server.desk.counts()["manifest"] == 1
            elif tag != tags[1][0] or kind != "head":
                assert isinstance(answer, Unchanged)
                assert server.desk.counts()["manifest"] == 0
                assert server.desk.counts()[kind] == 1


@pytest.mark.parametrize("conditional", [True, False])
async def test_a_tag_that_moved_is_read_whichever_way_is_asked(estate: Estate, conditional: bool) -> None:
    (first, digest), (second, _), *_ = estate.repositories[REPOSITORY].items()
    other = estate.new_image(REPOSITORY)
    async with v2_server(estate, V2Rules(conditional=conditional)) as server, open_dialect_of(server) as dialect:
        await dialect.manifest(REPOSITORY, first, digest)
        answer = await dialect.manifest(REPOSITORY, second, other)
        assert isinstance(answer, FetchedManifest)
        assert answer.digest == estate.repositories[REPOSITORY][second]


async def test_a_deleted_tag_is_gone_where_a_head_is_asked_too(estate: Estate) -> None:
    (first, digest), (second, other), *_ = estate.repositories[REPOSITORY].items()
    async with v2_server(estate, V2Rules(conditional=False)) as server, open_dialect_of(server) as dialect:
        await dialect.manifest(REPOSITORY, first, digest)
        estate.delete_tag(REPOSITORY, second)
        with pytest.raises(ManifestGone):
            await dialect.manifest(REPOSITORY, second, other)
