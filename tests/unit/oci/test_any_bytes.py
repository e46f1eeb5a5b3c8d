"""Any bytes in: a result, or a PermanentError with a sentence."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PermanentError
from shared.oci import media_types
from shared.oci.config import ParsedConfig, parse_config
from shared.oci.digest import Digest
from shared.oci.manifest import (
    Parsed,
    ParsedArtifact,
    ParsedImage,
    ParsedIndex,
    is_cosign_tag,
    manifest_digest,
    parse_manifest,
)
from tests.unit.oci.documents import body, descriptor, image, index

FIELDS = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "blobs",
    "annotations",
    "platform",
    "digest",
    "size",
    "os",
    "architecture",
    "variant",
    "os.version",
    "created",
    "history",
    "v1Compatibility",
    "signatures",
    "protected",
    "formatLength",
    "formatTail",
]
KNOWN = (
    *media_types.MANIFESTS,
    *media_types.SCHEMA1_MANIFESTS,
    *media_types.IMAGE_CONFIGS,
    media_types.COSIGN_SIGNATURE,
    media_types.BUILDKIT_CACHE,
    media_types.ATTESTATION_REFERENCE,
    Digest.of(b"one"),
    "unknown",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999-23:59",
    "{}",
    "e30",
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 0, 1, 2, 2**63 - 1, 2**63, 10**400])
    | st.floats()
    | st.text()
    | st.sampled_from(KNOWN)
)
NAMES = st.sampled_from(FIELDS) | st.text(max_size=5)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=25
)
OBJECTS = st.dictionaries(NAMES, DOCUMENTS, max_size=8)
CONTENT_TYPES = st.sampled_from(["", "text/html", *media_types.MANIFESTS, *media_types.SCHEMA1_MANIFESTS]) | st.text()


def assert_sound(parsed: Parsed) -> None:
    """Assert what everybody downstream builds on."""
    assert isinstance(parsed, ParsedImage | ParsedIndex | ParsedArtifact)
    if isinstance(parsed, ParsedIndex):
        for entry in parsed.entries:
            assert isinstance(entry.digest, Digest)
            assert 0 <= entry.size < 2**63
    else:
        assert parsed.size_bytes is None or 0 <= parsed.size_bytes < 2**63
    repr(parsed).encode()


def assert_read_or_refused(raw: bytes, content_type: str, tag: str) -> None:
    """Assert that each parser gives what is sound, or a PermanentError with a sentence."""
    for attempt in (
        lambda: assert_sound(parse_manifest(raw, content_type, tag=tag)),
        lambda: manifest_digest(raw, content_type).encode(),
        lambda: assert_sound_config(parse_config(raw)),
    ):
        refusal = None
        try:
            attempt()
        except PermanentError as error:
            refusal = error
        assert refusal is None or is_sentence(refusal), refusal


def is_sentence(error: PermanentError) -> bool:
    """Is the error short, whole, and of text that can be written anywhere?"""
    str(error).encode()
    return bool(error.reason) and len(str(error)) < 500 and str(error).endswith(".")


def assert_sound_config(parsed: ParsedConfig) -> None:
    assert parsed.created is None or (parsed.created.utcoffset() is not None and 1970 <= parsed.created.year <= 2299)
    repr(parsed).encode()


@given(st.binary(), CONTENT_TYPES, st.text())
def test_bytes_parse_or_fail_clearly(raw: bytes, content_type: str, tag: str) -> None:
    assert_read_or_refused(raw, content_type, tag)
    is_cosign_tag(tag)


@given(OBJECTS, CONTENT_TYPES)
def test_objects_with_our_fields_parse_or_fail_clearly(document: dict[str, Any], content_type: str) -> None:
    assert_read_or_refused(body(document), content_type, "")


@given(
    st.sampled_from(
        [
            image(),
            index(descriptor(media_types.OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"})),
            {"schemaVersion": 1, "history": [{"v1Compatibility": "{}"}], "signatures": [{"protected": "e30"}]},
            {"os": "linux", "architecture": "amd64", "created": "2024-01-01T00:00:00Z"},
        ]
    ),
    st.data(),
)
def test_good_documents_with_one_field_spoiled_parse_or_fail_clearly(
    document: dict[str, Any], data: st.DataObject
) -> None:
    spoiled = json.loads(json.dumps(document))
    inner: Any = spoiled
    while True:
        key = data.draw(st.sampled_from(list(inner) if isinstance(inner, dict) else range(len(inner))))
        if not (isinstance(inner[key], dict | list) and inner[key] and data.draw(st.booleans())):
            break
        inner = inner[key]
    inner[key] = data.draw(DOCUMENTS)
    assert_read_or_refused(body(spoiled), media_types.SCHEMA1_SIGNED, "")


@given(st.integers(0, 300), st.sampled_from([b"\xff", b"", b"{", b'"', b"\x00", b"\xed\xa0\x80"]))
def test_truncated_and_garbled_manifests_parse_or_fail_clearly(at: int, garbage: bytes) -> None:
    whole = body(image())
    assert_read_or_refused(whole[:at] + garbage, media_types.OCI_MANIFEST, "")
    assert_read_or_refused(whole[:at] + garbage + whole[at:], media_types.OCI_MANIFEST, "")


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 1_000_000,
        b'{"config":' * 200_000,
        b'{"annotations":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"schemaVersion":' + b"9" * 100_000 + b"}",
        b'{"config":{"mediaType":"a","digest":"b","size":' + b"9" * 100_000 + b"}}",
        b"<!doctype html><title>Sign in</title>",
        b"\xef\xbb\xbf{}",
        body(image()).decode().encode("utf-16"),
        b'{"mediaType":"\\ud800","config":{}}',
        b'{"mediaType":"\xff"}',
        body(image(config=descriptor(media_types.OCI_CONFIG, size=2**63 - 1))),
        body(image(config=descriptor(media_types.OCI_CONFIG, size=-1))),
        body(image(config=descriptor(media_types.OCI_CONFIG, size=1.0))),  # type: ignore[arg-type]
        body(image(config=descriptor(media_types.OCI_CONFIG, size=True))),
        body(image(config=descriptor(media_types.OCI_CONFIG, size=float("nan")))),  # type: ignore[arg-type]
        body(image(config=descriptor(media_types.OCI_CONFIG, digest="md5:1"))),
        body(image(config=descriptor("x" * 10_000))),
        body(image(config=descriptor("a\x1b[31m"))),
        body({"schemaVersion": 2}),
        body({"errors": [{"code": "UNKNOWN"}]}),
        body(index(descriptor(media_types.OCI_MANIFEST, digest="sha256:" + "A" * 64))),
        body(index(descriptor(media_types.OCI_MANIFEST), config=descriptor(media_types.OCI_CONFIG))),
    ],
)
def test_hostile_manifests_are_refused_with_a_sentence(hostile: bytes) -> None:
    with pytest.raises(PermanentError) as refused:
        parse_manifest(hostile, media_types.OCI_MANIFEST)
    assert refused.value.reason in {
        "manifest_malformed",
        "manifest_ambiguous",
        "manifest_unsupported",
        "digest_invalid",
    }
    assert len(str(refused.value)) < 500


def test_of_a_key_given_twice_the_last_counts() -> None:
    twice = body(image()).replace(b'"size": 10', b'"size": 1, "size": 10')

    assert parse_manifest(twice, "") == parse_manifest(body(image()), "")


def test_an_error_does_not_repeat_what_the_registry_sent() -> None:
    with pytest.raises(PermanentError) as refused:
        parse_manifest(body(image(config=descriptor("secret" * 100))), "")
    assert "secret" not in str(refused.value)
