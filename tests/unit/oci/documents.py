"""Manifest bodies to parse, built from the few fields that a test is about."""

import json
from typing import Any

from shared.oci import media_types
from shared.oci.digest import Digest

ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


def body(document: object) -> bytes:
    """Return the document as a registry would send it."""
    return json.dumps(document).encode()


def descriptor(media_type: str, digest: str = ONE, size: int = 10, **more: Any) -> dict[str, Any]:
    """Return a descriptor; `more` are further fields of it."""
    return {"mediaType": media_type, "digest": digest, "size": size, **more}


def layer(size: int = 10) -> dict[str, Any]:
    """Return the descriptor of a layer of files."""
    return descriptor("application/vnd.oci.image.layer.v1.tar+gzip", TWO, size)


def image(media_type: str | None = media_types.OCI_MANIFEST, **changes: Any) -> dict[str, Any]:
    """Return an image manifest of 10 + 20 + 30 bytes; `changes` replace or add fields."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor(media_types.OCI_CONFIG),
        "layers": [layer(20), layer(30)],
    }
    return {name: value for name, value in {**document, **changes}.items() if value is not None}


def index(*entries: dict[str, Any], media_type: str | None = media_types.OCI_INDEX, **more: Any) -> dict[str, Any]:
    """Return an index of these entries."""
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": list(entries), **more}
    return {name: value for name, value in document.items() if value is not None}
