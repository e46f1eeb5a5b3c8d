"""Artifacts as Harbor's API tells them, made from an estate.

Source: Harbor, api/v2.0/swagger.yaml (Artifact, Reference, Accessory); src/controller/artifact;
src/server/middleware/cosign.
"""

from collections.abc import Mapping
from typing import Any

from shared.oci.digest import Digest
from shared.oci.media_types import ATTESTATION_REFERENCE, COSIGN_SIGNATURE
from shared.oci.platform import Platform
from tests.support.generator import Estate
from tests.support.generator_content import Made

PUSHED = "2026-01-02T03:04:05.678Z"


def artifacts_of(estate: Estate, tags: Mapping[str, Digest], *, members: bool) -> list[dict[str, Any]]:
    """The artifacts of a repository.  members: those of indexes too, as `q=base=*` shows them.

    A cosign signature whose subject is here is an accessory, and hidden, unless another tag points to it as well.
    """
    held = _held(estate, tags)
    signatures = _signatures(estate, tags, held)
    tagged = set(tags.values())
    shown = [digest for digest in held if digest not in signatures and (members or digest in tagged)]
    return [_artifact(estate, tags, digest, signatures) for digest in shown]


def _held(estate: Estate, tags: Mapping[str, Digest]) -> dict[Digest, None]:
    """All that the repository holds, attestations included, in a stable order."""
    held: dict[Digest, None] = {}
    for digest in tags.values():
        for member in estate.family(digest):
            held[member] = None
            held.update(dict.fromkeys(estate.manifests[member].attached))
    return held


def _signatures(estate: Estate, tags: Mapping[str, Digest], held: Mapping[Digest, None]) -> dict[Digest, Digest]:
    """Signature -> its subject."""
    found = {}
    for tag, digest in tags.items():
        subject = f"sha256:{tag.removeprefix('sha256-').removesuffix('.sig')}"
        alone = list(tags.values()).count(digest) == 1
        is_signature = tag.endswith(".sig") and estate.manifests[digest].artifact_type == COSIGN_SIGNATURE
        if is_signature and alone and subject in held and subject != digest:
            found[digest] = Digest(subject)
    return found


def _artifact(
    estate: Estate, tags: Mapping[str, Digest], digest: Digest, signatures: Mapping[Digest, Digest]
) -> dict[str, Any]:
    made = estate.manifests[digest]
    image_config = made.kind == "image" or b"oci.image.config" in made.body
    return {
        "digest": digest,
        "type": "IMAGE" if made.kind == "index" or image_config else "CHART",
        "manifest_media_type": made.media_type,
        "size": len(made.body) + (made.size_bytes or 0),
        "push_time": PUSHED,
        "extra_attrs": _extra_attrs(made),
        "references": _references(estate, made) or None,
        "tags": [{"name": tag, "push_time": PUSHED, "immutable": False} for tag, to in tags.items() if to == digest]
        or None,
        "accessories": [
            {"digest": signature, "type": "signature.cosign", "subject_artifact_digest": subject}
            for signature, subject in signatures.items()
            if subject == digest
        ]
        or None,
    }


def _extra_attrs(made: Made) -> dict[str, Any] | None:
    if made.kind == "index":
        return None
    platform = made.platform or Platform()
    created = made.created.isoformat().replace("+00:00", "Z") if made.created else None
    return {"architecture": platform.architecture, "os": platform.os, "created": created, "author": ""}


def _references(estate: Estate, made: Made) -> list[dict[str, Any]]:
    references = [{"child_digest": child.digest, "platform": _platform(child.platform)} for child in made.children]
    unknown = {"architecture": "unknown", "os": "unknown"}
    annotations = {ATTESTATION_REFERENCE: "attestation-manifest"}
    attached = [{"child_digest": digest, "platform": unknown, "annotations": annotations} for digest in made.attached]
    return references + attached


def _platform(platform: Platform | None) -> dict[str, str] | None:
    if platform is None:
        return None
    told = {
        "architecture": platform.architecture,
        "os": platform.os,
        "variant": platform.variant,
        "os.version": platform.os_version,
    }
    return {name: value for name, value in told.items() if value}
