"""Manifests of one image, and what looks like one."""

from typing import Any

import pytest

from shared.oci import media_types
from shared.oci.manifest import ParsedArtifact, ParsedImage, is_cosign_tag, parse_manifest
from tests.unit.oci.documents import ONE, body, descriptor, image, layer


@pytest.mark.parametrize("media_type", media_types.IMAGE_MANIFESTS)
def test_an_image_manifest_tells_its_config_and_its_size(media_type: str) -> None:
    parsed = parse_manifest(body(image(media_type)), media_type)

    assert parsed == ParsedImage(media_type, config=ONE, size_bytes=60)


def test_an_image_without_layers_has_the_size_of_its_config() -> None:
    assert parse_manifest(body(image(layers=None)), "") == ParsedImage(media_types.OCI_MANIFEST, ONE, 10)


@pytest.mark.parametrize(
    ("in_body", "content_type", "meant"),
    [
        (media_types.DOCKER_MANIFEST, media_types.OCI_MANIFEST, media_types.DOCKER_MANIFEST),
        (media_types.DOCKER_MANIFEST, "text/html", media_types.DOCKER_MANIFEST),
        (None, f"{media_types.DOCKER_MANIFEST.upper()}; charset=utf-8", media_types.DOCKER_MANIFEST),
        (None, "application/json", media_types.OCI_MANIFEST),
        (None, "", media_types.OCI_MANIFEST),
        (media_types.OCI_INDEX, media_types.DOCKER_LIST, media_types.OCI_MANIFEST),
    ],
)
def test_the_body_outweighs_the_content_type(in_body: str | None, content_type: str, meant: str) -> None:
    assert parse_manifest(body(image(in_body)), content_type).media_type == meant


@pytest.mark.parametrize("config_type", ["application/octet-stream", "text/html", "application/json", ""])
def test_a_docker_image_with_an_early_clients_config_type_is_an_image(config_type: str) -> None:
    document = image(media_types.DOCKER_MANIFEST, config=descriptor(config_type))

    assert isinstance(parse_manifest(body(document), ""), ParsedImage)


ARTIFACTS: list[tuple[dict[str, Any], str]] = [
    ({"config": descriptor(media_types.HELM_CONFIG)}, media_types.HELM_CONFIG),
    ({"config": descriptor("application/octet-stream")}, "application/octet-stream"),
    ({"config": descriptor(media_types.OCI_EMPTY)}, media_types.OCI_EMPTY),
    ({"config": descriptor(media_types.OCI_EMPTY), "artifactType": "application/spdx+json"}, "application/spdx+json"),
    ({"artifactType": "application/vnd.example.thing"}, "application/vnd.example.thing"),
    ({"layers": [descriptor(media_types.COSIGN_SIGNATURE)]}, media_types.COSIGN_SIGNATURE),
    ({"layers": [descriptor("application/vnd.in-toto+json"), descriptor("text/spdx")]}, "application/vnd.in-toto+json"),
]


@pytest.mark.parametrize(("changes", "artifact_type"), ARTIFACTS)
def test_what_carries_no_files_of_an_image_is_an_artifact(changes: dict[str, Any], artifact_type: str) -> None:
    parsed = parse_manifest(body(image(**changes)), media_types.OCI_MANIFEST)

    assert isinstance(parsed, ParsedArtifact)
    assert parsed.artifact_type == artifact_type


def test_an_artifacts_size_is_its_config_and_layers() -> None:
    chart = image(config=descriptor(media_types.HELM_CONFIG, size=7), layers=[layer(5)])

    assert parse_manifest(body(chart), "") == ParsedArtifact(media_types.OCI_MANIFEST, media_types.HELM_CONFIG, 12)


def test_an_artifacts_digests_may_be_of_another_algorithm() -> None:
    chart = image(config=descriptor(media_types.HELM_CONFIG, digest="sha512:" + "0" * 128))

    assert isinstance(parse_manifest(body(chart), ""), ParsedArtifact)


def test_an_image_that_names_its_own_config_as_artifact_type_is_an_image() -> None:
    assert isinstance(parse_manifest(body(image(artifactType=media_types.OCI_CONFIG)), ""), ParsedImage)


def test_one_document_among_layers_of_files_leaves_an_image_an_image() -> None:
    mixed = image(layers=[layer(), descriptor("application/vnd.in-toto+json")])

    assert isinstance(parse_manifest(body(mixed), ""), ParsedImage)


def test_an_image_asked_for_by_a_cosign_tag_is_an_artifact() -> None:
    tag = f"sha256-{ONE.hex}.sig"

    assert isinstance(parse_manifest(body(image()), "", tag=tag), ParsedArtifact)
    assert isinstance(parse_manifest(body(image()), "", tag="v1"), ParsedImage)


@pytest.mark.parametrize("suffix", [".sig", ".att", ".sbom"])
def test_cosigns_tags_are_known_by_their_form(suffix: str) -> None:
    assert is_cosign_tag(f"sha256-{ONE.hex}{suffix}")


@pytest.mark.parametrize("name", ["latest", f"sha256-{ONE.hex}", f"sha256-{ONE.hex}.sig\n", "sha256-abc.sig", ""])
def test_other_tags_are_not_cosigns(name: str) -> None:
    assert not is_cosign_tag(name)


def test_the_artifact_manifest_of_a_release_candidate_is_an_artifact() -> None:
    media_type = "application/vnd.oci.artifact.manifest.v1+json"
    document = {"mediaType": media_type, "artifactType": "application/spdx+json", "blobs": [layer(5), layer(6)]}

    assert parse_manifest(body(document), "") == ParsedArtifact(media_type, "application/spdx+json", 11)
