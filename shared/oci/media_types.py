"""The media types and annotations that the parsers and the registry client know; a name stands here only."""

from typing import Final

DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
SCHEMA1: Final = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA1_SIGNED: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"

IMAGE_MANIFESTS: Final = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES: Final = (OCI_INDEX, DOCKER_LIST)
MANIFESTS: Final = IMAGE_MANIFESTS + INDEXES
"""What a request for a manifest accepts, always all four: with fewer, registries convert, and the digest changes."""
SCHEMA1_MANIFESTS: Final = (SCHEMA1_SIGNED, SCHEMA1)

DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
IMAGE_CONFIGS: Final = frozenset({DOCKER_CONFIG, OCI_CONFIG})
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"

HELM_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
COSIGN_SIGNATURE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
BUILDKIT_CACHE: Final = "application/vnd.buildkit.cacheconfig.v0"

ATTESTATION_REFERENCE: Final = "vnd.docker.reference.type"
"""Annotation that BuildKit sets on the index entries that describe another entry instead of being an image."""


def bare(content_type: str) -> str:
    """Return a Content-Type's media type: without parameters, in lower case; empty when there is none."""
    return content_type.partition(";")[0].strip().lower()
