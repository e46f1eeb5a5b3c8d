"""Indexes and manifest lists."""

from typing import Any

import pytest

from shared.errors import PermanentError
from shared.oci import media_types
from shared.oci.documents import MOST_ENTRIES
from shared.oci.manifest import IndexEntry, ParsedArtifact, ParsedIndex, parse_manifest
from shared.oci.platform import Platform
from tests.unit.oci.documents import ONE, TWO, body, descriptor, index


def entry(digest: str = ONE, **more: Any) -> dict[str, Any]:
    return descriptor(media_types.OCI_MANIFEST, digest, **more)


def entries_of(*entries: dict[str, Any]) -> tuple[IndexEntry, ...]:
    parsed = parse_manifest(body(index(*entries)), media_types.OCI_INDEX)
    assert isinstance(parsed, ParsedIndex)
    return parsed.entries


@pytest.mark.parametrize("media_type", media_types.INDEXES)
def test_an_index_tells_its_entries_and_their_platforms_in_order(media_type: str) -> None:
    windows = {"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.2031"}
    arm = {"os": "linux", "architecture": "arm", "variant": "v7", "os.features": ["x"]}

    parsed = parse_manifest(
        body(index(entry(TWO, platform=windows), entry(platform=arm), media_type=media_type)), media_type
    )

    assert parsed == ParsedIndex(
        media_type,
        (
            IndexEntry(
                TWO,
                media_types.OCI_MANIFEST,
                "",
                Platform(os="windows", architecture="amd64", os_version="10.0.20348.2031"),
                10,
            ),
            IndexEntry(ONE, media_types.OCI_MANIFEST, "", Platform(os="linux", architecture="arm", variant="v7"), 10),
        ),
    )


def test_an_entry_without_platform_says_none() -> None:
    assert entries_of(entry())[0].platform is None


def test_unknown_platforms_are_attestations_and_left_out() -> None:
    unknown = entry(TWO, platform={"os": "unknown", "architecture": "unknown"})

    assert [left.digest for left in entries_of(unknown, entry())] == [ONE]


def test_annotated_attestations_are_left_out_whatever_their_platform() -> None:
    annotations = {media_types.ATTESTATION_REFERENCE: "attestation-manifest"}
    attestation = entry(TWO, platform={"os": "linux", "architecture": "amd64"}, annotations=annotations)

    assert [left.digest for left in entries_of(attestation, entry())] == [ONE]


def test_an_entry_given_twice_is_one() -> None:
    assert len(entries_of(entry(), entry(), entry(platform={"os": "linux", "architecture": "amd64"}))) == 2


@pytest.mark.parametrize(
    ("media_type", "artifact_type", "kind"),
    [
        (media_types.OCI_MANIFEST, None, "image"),
        (media_types.DOCKER_MANIFEST, None, "image"),
        (media_types.SCHEMA1_SIGNED, None, "image"),
        (media_types.OCI_MANIFEST, media_types.OCI_CONFIG, "image"),
        (media_types.OCI_MANIFEST, "application/spdx+json", "artifact"),
        ("application/vnd.example.thing", None, "artifact"),
        (media_types.OCI_INDEX, None, "index"),
        (media_types.DOCKER_LIST, "application/vnd.example", "index"),
    ],
)
def test_an_entry_says_what_kind_it_is(media_type: str, artifact_type: str | None, kind: str) -> None:
    assert entries_of(descriptor(media_type, artifactType=artifact_type))[0].kind == kind


def test_an_index_without_entries_is_an_index() -> None:
    assert entries_of() == ()
    null = body({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": None})
    assert parse_manifest(null, "") == ParsedIndex(media_types.OCI_INDEX, ())


@pytest.mark.parametrize(
    ("in_body", "content_type", "meant"),
    [
        (None, media_types.DOCKER_LIST, media_types.DOCKER_LIST),
        (None, "", media_types.OCI_INDEX),
        (media_types.DOCKER_LIST, media_types.OCI_INDEX, media_types.DOCKER_LIST),
        (media_types.OCI_MANIFEST, media_types.OCI_MANIFEST, media_types.OCI_INDEX),
    ],
)
def test_the_shape_of_an_index_outweighs_what_it_is_called(in_body: str | None, content_type: str, meant: str) -> None:
    parsed = parse_manifest(body(index(entry(), media_type=in_body)), content_type)

    assert isinstance(parsed, ParsedIndex)
    assert parsed.media_type == meant


def test_buildkits_cache_in_an_index_is_an_artifact() -> None:
    cache = index(descriptor("application/vnd.oci.image.layer.v1.tar+gzip"), descriptor(media_types.BUILDKIT_CACHE))

    assert parse_manifest(body(cache), "") == ParsedArtifact(media_types.OCI_INDEX, media_types.BUILDKIT_CACHE, 20)


def test_an_index_with_too_many_entries_is_refused() -> None:
    assert len(entries_of(*[entry()] * MOST_ENTRIES)) == 1
    with pytest.raises(PermanentError, match="at most 10000 items") as refused:
        entries_of(*[entry()] * (MOST_ENTRIES + 1))
    assert refused.value.reason == "manifest_malformed"
