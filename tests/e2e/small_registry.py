"""A small registry that a test can break: one repository of three images on the fake, well until told otherwise."""

import json
from dataclasses import dataclass, field
from typing import Final

from shared.oci import media_types
from shared.oci.digest import Digest
from tests.fakes.hostile_registry import HostileRegistry, Reply, Script, reply_json, reply_manifest

REPOSITORY: Final = "shop/cart"
ROOT: Final = "/v2/"
CATALOG: Final = "/v2/_catalog"
TAGS: Final = f"/v2/{REPOSITORY}/tags/list"


def manifest_path(tag: str) -> str:
    """Return where the tag's manifest is."""
    return f"/v2/{REPOSITORY}/manifests/{tag}"


@dataclass
class SmallRegistry:
    """The fake, filled. manifests: tag → body."""

    fake: HostileRegistry
    manifests: dict[str, bytes] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.fake.url

    def fill(self) -> None:
        """Make it serve everything well."""
        self.breaks(ROOT, reply_json({}))
        self.breaks(CATALOG, reply_json({"repositories": [REPOSITORY]}))
        self.breaks(TAGS, reply_json({"name": REPOSITORY, "tags": ["1.0", "2.0", "3.0"]}))
        for number, tag in enumerate(("1.0", "2.0", "3.0")):
            config = json.dumps({"os": "linux", "architecture": "amd64", "serial": number}).encode()
            body = _manifest(config)
            self.manifests[tag] = body
            self.breaks(manifest_path(tag), reply_manifest(body))
            self.breaks(f"/v2/{REPOSITORY}/blobs/{Digest.of(config)}", Reply(body=config))

    def breaks(self, path: str, script: Script) -> None:
        """Make a path answer otherwise from now on."""
        self.fake.scripts[path] = script


def _manifest(config: bytes) -> bytes:
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest.of(b"layer"), "size": 5}
    told = {"mediaType": media_types.OCI_CONFIG, "digest": Digest.of(config), "size": len(config)}
    return json.dumps(
        {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": told, "layers": [layer]}
    ).encode()
