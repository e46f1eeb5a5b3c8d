"""Bodies of manifests and configs, as small as they may be."""

import json
from typing import Any

from shared.oci.digest import Digest
from shared.oci.media_types import HELM_CONFIG, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST

SIZE_BYTES = 30
LAYER = {
    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
    "digest": Digest.of(b"layer"),
    "size": SIZE_BYTES - 10,
}


def config(architecture: str, name: str = "") -> bytes:
    """An image's config; the name makes it another one."""
    return _json(architecture=architecture, os="linux", created="2020-01-01T00:00:00Z", name=name)


def image(config_body: bytes, name: str = "") -> bytes:
    """An image's manifest; its sizes add up to SIZE_BYTES."""
    described = {"mediaType": OCI_CONFIG, "digest": Digest.of(config_body), "size": 10}
    return _json(schemaVersion=2, mediaType=OCI_MANIFEST, config=described, layers=[LAYER], annotations={"name": name})


def chart() -> bytes:
    """A Helm chart's manifest."""
    described = {"mediaType": HELM_CONFIG, "digest": Digest.of(b"chart"), "size": 10}
    return _json(schemaVersion=2, mediaType=OCI_MANIFEST, config=described, layers=[LAYER])


def index(*entries: dict[str, Any], name: str = "") -> bytes:
    """An index of these entries."""
    return _json(schemaVersion=2, mediaType=OCI_INDEX, manifests=entries, annotations={"name": name})


def entry(digest: Digest, architecture: str = "", media_type: str = OCI_MANIFEST, **fields: Any) -> dict[str, Any]:
    """An index's entry, telling the platform where an architecture is given."""
    platform = {"platform": {"os": "linux", "architecture": architecture}} if architecture else {}
    return {"mediaType": media_type, "digest": digest, "size": 500, **platform, **fields}


def _json(**document: Any) -> bytes:
    return json.dumps(document).encode()
