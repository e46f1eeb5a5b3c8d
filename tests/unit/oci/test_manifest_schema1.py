"""Schema 1, plain and signed."""

import base64
import json
from datetime import UTC, datetime

import pytest

from shared.errors import PermanentError
from shared.oci import media_types
from shared.oci.digest import Digest
from shared.oci.manifest import ParsedImage, manifest_digest, parse_manifest
from shared.oci.platform import Platform
from tests.unit.oci.documents import body

NEWEST = {"os": "linux", "architecture": "386", "created": "2016-02-03T04:05:06.7Z"}
PLAIN = {
    "schemaVersion": 1,
    "name": "library/old",
    "tag": "1",
    "architecture": "arm64",
    "fsLayers": [],
    "history": [{"v1Compatibility": json.dumps(NEWEST)}, {"v1Compatibility": "{}"}],
}


def encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def signed(payload: bytes, **protected: object) -> bytes:
    """Return the payload with a signature put before its last brace, as registries do."""
    header = {"formatLength": len(payload) - 1, "formatTail": encoded(b"}"), **protected}
    signatures = json.dumps([{"protected": encoded(body(header)), "signature": "x"}]).encode()
    return payload[:-1] + b',"signatures":' + signatures + b"}"


def test_schema_1_tells_architecture_at_the_top_and_the_rest_with_the_newest_layer() -> None:
    assert parse_manifest(body(PLAIN), "application/json") == ParsedImage(
        media_types.SCHEMA1,
        config=None,
        size_bytes=None,
        platform=Platform(os="linux", architecture="arm64"),
        created=datetime(2016, 2, 3, 4, 5, 6, 700_000, UTC),
    )


def test_signed_schema_1_is_known_by_its_signatures() -> None:
    parsed = parse_manifest(signed(body(PLAIN)), media_types.SCHEMA1)

    assert parsed.media_type == media_types.SCHEMA1_SIGNED


def test_schema_1_without_history_has_the_platform_of_the_top() -> None:
    parsed = parse_manifest(body({"schemaVersion": 1, "architecture": "amd64"}), "")

    assert parsed == ParsedImage(media_types.SCHEMA1, None, None, Platform(architecture="amd64"))


def test_a_signed_manifests_digest_is_that_of_its_payload() -> None:
    payload = body(PLAIN)

    assert manifest_digest(signed(payload), media_types.SCHEMA1_SIGNED + "; charset=utf-8") == Digest.of(payload)


def test_every_other_manifests_digest_is_that_of_its_bytes() -> None:
    payload = body(PLAIN)

    assert manifest_digest(payload, media_types.SCHEMA1_SIGNED) == Digest.of(payload)
    assert manifest_digest(payload, media_types.OCI_MANIFEST) == Digest.of(payload)


@pytest.mark.parametrize(
    "broken",
    [
        signed(body(PLAIN), formatLength=-1),
        signed(body(PLAIN), formatLength="1"),
        signed(body(PLAIN), formatTail="a"),
        signed(body(PLAIN), formatTail="ä"),
        body({"schemaVersion": 1, "signatures": [{"protected": "a"}]}),
        body({"schemaVersion": 1, "signatures": [{}]}),
    ],
)
def test_a_broken_signature_is_a_clear_error(broken: bytes) -> None:
    with pytest.raises(PermanentError, match=r"manifest.*Push") as refused:
        manifest_digest(broken, media_types.SCHEMA1_SIGNED)
    assert refused.value.reason == "manifest_malformed"


def test_a_history_that_is_not_json_is_a_clear_error() -> None:
    with pytest.raises(PermanentError, match="v1Compatibility"):
        parse_manifest(body({"schemaVersion": 1, "history": [{"v1Compatibility": "{"}]}), "")
