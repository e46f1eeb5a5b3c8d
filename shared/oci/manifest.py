"""A manifest's body: an image, an index of manifests, or another artifact."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from shared.errors import PermanentError
from shared.oci import media_types
from shared.oci.config import told_platform
from shared.oci.digest import Digest
from shared.oci.documents import Descriptor, ManifestDocument, read
from shared.oci.manifest_schema1 import parse_schema1, schema1_digest
from shared.oci.platform import Platform

MANIFEST_MALFORMED: Final = "manifest_malformed"
MANIFEST_AMBIGUOUS: Final = "manifest_ambiguous"
MANIFEST_UNSUPPORTED: Final = "manifest_unsupported"

_COSIGN_TAG: Final = re.compile(r"sha256-[0-9a-f]{64}\.(sig|att|sbom)")

# Early Docker clients and registries wrote these as the type of an image's config (moby issues 22378, 1621).
_MISLABELLED_CONFIGS: Final = frozenset({"", "application/octet-stream", "application/json", "text/html"})


@dataclass(frozen=True)
class ParsedImage:
    """An image for one platform.

    config: digest of the config blob that tells platform and creation time; None for schema 1, which tells both here.
    size_bytes: config and layers together; None for schema 1, which tells no sizes.
    """

    media_type: str
    config: Digest | None
    size_bytes: int | None
    platform: Platform | None = None
    created: datetime | None = None


@dataclass(frozen=True)
class IndexEntry:
    """A manifest that an index names. platform: None where the index does not tell it.

    artifact_type: set where the index says that the entry is no image.  size: of the entry's manifest, in bytes.
    """

    digest: Digest
    media_type: str
    artifact_type: str
    platform: Platform | None
    size: int

    @property
    def kind(self) -> Literal["image", "index", "artifact"]:
        """What the index says the entry is; reading the entry itself may still show that it is an artifact."""
        if self.media_type in media_types.INDEXES:
            return "index"
        named = (*media_types.IMAGE_MANIFESTS, *media_types.SCHEMA1_MANIFESTS, "")
        plain = not self.artifact_type or self.artifact_type in media_types.IMAGE_CONFIGS
        return "image" if plain and self.media_type in named else "artifact"


@dataclass(frozen=True)
class ParsedIndex:
    """An OCI image index or a Docker manifest list: entries in their order, attestations left out."""

    media_type: str
    entries: tuple[IndexEntry, ...]


@dataclass(frozen=True)
class ParsedArtifact:
    """Anything else a registry holds: chart, signature, SBOM, attestation, build cache.

    artifact_type: what it says it is.  size_bytes: config and layers together.
    """

    media_type: str
    artifact_type: str
    size_bytes: int


Parsed = ParsedImage | ParsedIndex | ParsedArtifact


def parse_manifest(body: bytes, media_type: str, *, tag: str = "") -> Parsed:
    """Return what the body is.

    media_type: the answer's Content-Type, with parameters or empty. Registries and proxies get it wrong, so the
    body's shape decides first, then its own mediaType, then this.  tag: the one asked for, if it was a tag.
    Raises PermanentError: `manifest_malformed`, `manifest_ambiguous`, `manifest_unsupported`, `digest_invalid`.
    Source: OCI image-spec 1.1; Docker Image Manifest V2, schemas 1 and 2.
    """
    document = read(ManifestDocument, body, what="manifest", reason=MANIFEST_MALFORMED)
    _refuse_ambiguous(document)
    told = (document.media_type or "", media_types.bare(media_type))
    if document.schema_version == 1:
        return _schema1_image(body)
    if document.manifests is not None or (document.config is None and told[0] in media_types.INDEXES):
        return _index(document, told)
    if document.config is not None:
        return _image_or_artifact(document, document.config, told, tag)
    if document.blobs is not None and document.artifact_type:
        # The artifact manifest of OCI 1.1's release candidates and of ORAS; never final, still found.
        return ParsedArtifact(told[0] or told[1], document.artifact_type, _total(document.blobs))
    raise PermanentError(
        "The body is JSON, but neither an image manifest nor an index of manifests. Look at what answers for the "
        "registry: a proxy may stand in front of it.",
        reason=MANIFEST_UNSUPPORTED,
    )


def manifest_digest(body: bytes, media_type: str) -> Digest:
    """Return the digest a registry must know this body by: sha256 of the bytes, of the payload for signed schema 1.

    media_type: the answer's Content-Type.  Raises PermanentError (`manifest_malformed`) for a broken signature.
    """
    return schema1_digest(body) if media_types.bare(media_type) == media_types.SCHEMA1_SIGNED else Digest.of(body)


def is_cosign_tag(name: str) -> bool:
    """Return whether the tag is one that cosign makes beside an image: `sha256-<hex>.sig`, `.att` or `.sbom`."""
    return _COSIGN_TAG.fullmatch(name) is not None


def _refuse_ambiguous(document: ManifestDocument) -> None:
    """Refuse a body that two clients could read as two different things (CVE-2021-41190)."""
    if document.manifests and (document.config or document.layers):
        raise PermanentError(
            "The manifest is an image and an index at once (it has both manifests and layers), which container "
            "engines refuse too. Push it again with a current client.",
            reason=MANIFEST_AMBIGUOUS,
        )


def _schema1_image(body: bytes) -> ParsedImage:
    told = parse_schema1(body)
    media_type = media_types.SCHEMA1_SIGNED if told.signed else media_types.SCHEMA1
    return ParsedImage(media_type, config=None, size_bytes=None, platform=told.platform, created=told.created)


def _index(document: ManifestDocument, told: tuple[str, str]) -> ParsedIndex | ParsedArtifact:
    media_type = _fitting(told, media_types.INDEXES)
    manifests = document.manifests or []
    if any(entry.media_type == media_types.BUILDKIT_CACHE for entry in manifests):
        # BuildKit's older cache export lists layers, not manifests: asking for them would be a 404 each.
        return ParsedArtifact(media_type, media_types.BUILDKIT_CACHE, _total(manifests))
    entries = (_entry(descriptor) for descriptor in manifests if not _is_attestation(descriptor))
    return ParsedIndex(media_type, tuple(dict.fromkeys(entries)))


def _entry(descriptor: Descriptor) -> IndexEntry:
    return IndexEntry(
        digest=Digest(descriptor.digest),
        media_type=descriptor.media_type or "",
        artifact_type=descriptor.artifact_type or "",
        platform=told_platform(descriptor.platform) if descriptor.platform else None,
        size=descriptor.size,
    )


def _is_attestation(descriptor: Descriptor) -> bool:
    """Return whether the entry describes another entry (BuildKit's provenance and SBOMs) instead of being an image."""
    platform = descriptor.platform
    unknown = platform is not None and (platform.os, platform.architecture) == ("unknown", "unknown")
    return unknown or media_types.ATTESTATION_REFERENCE in (descriptor.annotations or {})


def _image_or_artifact(document: ManifestDocument, config: Descriptor, told: tuple[str, str], tag: str) -> Parsed:
    media_type = _fitting(told, media_types.IMAGE_MANIFESTS)
    size_bytes = _total([config, *(document.layers or [])])
    artifact_type = _artifact_type(document, config, media_type, tag)
    if artifact_type is not None:
        return ParsedArtifact(media_type, artifact_type, size_bytes)
    return ParsedImage(media_type, Digest(config.digest), size_bytes)


def _artifact_type(document: ManifestDocument, config: Descriptor, media_type: str, tag: str) -> str | None:
    """Return what kind of artifact a manifest is, None for an image. This is the one place that decides it:

    1. it says so itself (`artifactType`), as OCI 1.1 wants;
    2. its config is not an image's: charts, WebAssembly, SBOMs, the empty config;
    3. its config is an image's, but all it carries are documents: cosign's signatures and attestations, BuildKit's
       provenance, which wear an image's config so that old registries take them;
    4. it was asked for by a tag that cosign makes.
    """
    if document.artifact_type and document.artifact_type not in media_types.IMAGE_CONFIGS:
        return document.artifact_type
    config_type = config.media_type or ""
    mislabelled = config_type in _MISLABELLED_CONFIGS and (media_type == media_types.DOCKER_MANIFEST or not config_type)
    if config_type not in media_types.IMAGE_CONFIGS and not mislabelled:
        return config_type
    layers = [layer.media_type or "" for layer in document.layers or []]
    if layers and (all(map(_is_text, layers)) or is_cosign_tag(tag)):
        return layers[0]
    return None


def _is_text(media_type: str) -> bool:
    """Return whether the type is JSON, XML or text, which a layer of files never is."""
    return media_type.startswith("text/") or media_type.endswith(("+json", "+xml", "/json"))


def _fitting(told: tuple[str, str], fitting: tuple[str, str]) -> str:
    """Return the first told media type that fits the body's shape, else the shape's OCI type."""
    return next((media_type for media_type in told if media_type in fitting), fitting[0])


def _total(descriptors: list[Descriptor]) -> int:
    total = sum(descriptor.size for descriptor in descriptors)
    if total >= 2**63:
        raise PermanentError(
            "The manifest's sizes add up to more than 8 EiB, which no image has. Push it again.",
            reason=MANIFEST_MALFORMED,
        )
    return total
