"""A repository being filled with documents as real build tools write them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.oci.digest import Digest
from shared.oci.media_types import (
    ATTESTATION_REFERENCE,
    COSIGN_SIGNATURE,
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    HELM_CONFIG,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
)
from shared.oci.platform import Platform

Document = dict[str, Any]
"""JSON of the OCI image-spec or of Docker; a descriptor, a manifest, or a config."""

_OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_CHART: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_IN_TOTO: Final = "application/vnd.in-toto+json"
_SPDX: Final = "application/spdx+json"
_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class StoredManifest:
    """A manifest's bytes and the media type they are served as."""

    media_type: str
    body: bytes


@dataclass(frozen=True)
class Shelf:
    """What one repository holds. Layers are told of, with a likely size, and not held: nobody runs these images."""

    name: str
    manifests: dict[Digest, StoredManifest] = field(default_factory=dict)
    tags: dict[str, Digest] = field(default_factory=dict)
    blobs: dict[Digest, bytes] = field(default_factory=dict)

    def tag(self, descriptor: Document, *names: str) -> None:
        """Point these tags to the manifest."""
        self.tags.update(dict.fromkeys(names, Digest(descriptor["digest"])))

    def image(self, version: str, created: str, platform: Platform, *, docker: bool = False) -> Document:
        """Add a platform's image; return its descriptor, the platform in it."""
        config = self._blob(DOCKER_CONFIG if docker else OCI_CONFIG, _config(self.name, version, created, platform))
        layers = [
            _layer(_DOCKER_LAYER if docker else _OCI_LAYER, what, str(platform))
            for what in ("base", f"{self.name} libraries", f"{self.name} {version}")
        ]
        stored = self._manifest(DOCKER_MANIFEST if docker else OCI_MANIFEST, {"config": config, "layers": layers})
        return {**stored, "platform": _platform(platform)}

    def index(self, images: Sequence[Document], media_type: str = OCI_INDEX) -> Document:
        """Add an index of these; return its descriptor."""
        return self._manifest(media_type, {"manifests": list(images)})

    def attestation(self, image: Document) -> Document:
        """Add a build's provenance as BuildKit does: a member of the index that is no image."""
        config = self._blob(OCI_CONFIG, {"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers"}})
        statement = self._blob(_IN_TOTO, {"_type": "https://in-toto.io/Statement/v0.1", "subject": image["digest"]})
        return {
            **self._manifest(OCI_MANIFEST, {"config": config, "layers": [statement]}),
            "annotations": {
                ATTESTATION_REFERENCE: "attestation-manifest",
                "vnd.docker.reference.digest": image["digest"],
            },
            "platform": {"architecture": "unknown", "os": "unknown"},
        }

    def chart(self, version: str) -> Document:
        """Add a Helm chart; return its descriptor."""
        about = {"apiVersion": "v2", "name": self.name.rpartition("/")[2], "version": version, "type": "application"}
        layer = _layer(_CHART, self.name, version, largest=_MIB // 4)
        return self._manifest(OCI_MANIFEST, {"config": self._blob(HELM_CONFIG, about), "layers": [layer]})

    def signature(self, signed: Document) -> None:
        """Sign a manifest as cosign does: a tag of its own, made of the digest."""
        digest = Digest(signed["digest"])
        claim = self._blob(COSIGN_SIGNATURE, {"critical": {"image": {"docker-manifest-digest": digest}}})
        config = self._blob(OCI_CONFIG, {"architecture": "", "os": "", "rootfs": {"type": "layers"}})
        self.tag(self._manifest(OCI_MANIFEST, {"config": config, "layers": [claim]}), f"sha256-{digest.hex}.sig")

    def sbom(self, subject: Document, tag: str) -> None:
        """Attach a bill of materials to a manifest, under a tag."""
        layer = self._blob(_SPDX, {"spdxVersion": "SPDX-2.3", "name": self.name, "documentNamespace": tag})
        parts = {"config": self._blob(OCI_EMPTY, {}), "layers": [layer], "subject": _plain(subject)}
        self.tag(self._manifest(OCI_MANIFEST, {"artifactType": _SPDX, **parts}), tag)

    def _manifest(self, media_type: str, parts: Document) -> Document:
        body = _json({"schemaVersion": 2, "mediaType": media_type, **parts})
        self.manifests[Digest.of(body)] = StoredManifest(media_type, body)
        return _descriptor(media_type, body)

    def _blob(self, media_type: str, document: Document) -> Document:
        body = _json(document)
        self.blobs[Digest.of(body)] = body
        return _descriptor(media_type, body)


def likely_number(low: int, high: int, *about: str) -> int:
    """Return a number from low to below high that looks random and is always the same for the same words."""
    return low + int.from_bytes(hashlib.sha256(" ".join(about).encode()).digest()[:8]) % (high - low)


def _config(name: str, version: str, created: str, platform: Platform) -> Document:
    return {
        "created": created,
        **_platform(platform),
        "config": {
            "Entrypoint": ["/app/" + name.rpartition("/")[2]],
            "Labels": {"org.opencontainers.image.title": name, "org.opencontainers.image.version": version},
        },
        "rootfs": {"type": "layers", "diff_ids": [Digest.of(f"{name} {version} {platform}".encode())]},
    }


def _platform(platform: Platform) -> Document:
    told = {
        "architecture": platform.architecture,
        "os": platform.os,
        "variant": platform.variant,
        "os.version": platform.os_version,
    }
    return {name: value for name, value in told.items() if value}


def _layer(media_type: str, *about: str, largest: int = 80 * _MIB) -> Document:
    size = likely_number(largest // 64, largest, *about)
    return {"mediaType": media_type, "digest": Digest.of(" ".join(about).encode()), "size": size}


def _descriptor(media_type: str, body: bytes) -> Document:
    return {"mediaType": media_type, "digest": Digest.of(body), "size": len(body)}


def _plain(descriptor: Mapping[str, Any]) -> Document:
    return {name: descriptor[name] for name in ("mediaType", "digest", "size")}


def _json(document: Document) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
