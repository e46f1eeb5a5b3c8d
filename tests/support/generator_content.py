"""The contents of an estate: small manifests and blobs of every kind a registry holds, with the truth about each."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, Literal

from shared.oci import media_types
from shared.oci.digest import Digest
from shared.oci.platform import Platform

PLATFORMS: Final = (
    Platform(os="linux", architecture="amd64"),
    Platform(os="linux", architecture="arm64", variant="v8"),
    Platform(os="linux", architecture="arm", variant="v7"),
    Platform(os="linux", architecture="arm", variant="v6"),
    Platform(os="linux", architecture="386"),
    Platform(os="linux", architecture="s390x"),
    Platform(os="linux", architecture="ppc64le"),
    Platform(os="linux", architecture="riscv64"),
    Platform(os="windows", architecture="amd64", os_version="10.0.20348.2031"),
    Platform(os="windows", architecture="amd64", os_version="10.0.17763.5122"),
)
_OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_HELM_LAYER: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_IN_TOTO: Final = "application/vnd.in-toto+json"
_DSSE: Final = "application/vnd.dsse.envelope.v1+json"
_SPDX: Final = "application/spdx+json"

Entry = dict[str, Any]


@dataclass(frozen=True)
class Child:
    """An entry of an index. platform: what the index tells; None where it leaves that to the config."""

    digest: Digest
    platform: Platform | None


@dataclass(frozen=True)
class Made:
    """A manifest and the truth about it.

    platform, created: as the config tells them; only of images.  size_bytes: config and layers; None for indexes and
    for schema 1, whose `body` is what its digest is of: a registry serves it with a signature of its own.
    children: of an index, attestations left out.  attached: attestations, which have to be there all the same.
    blobs: config and layers.
    """

    digest: Digest
    body: bytes
    media_type: str
    kind: Literal["image", "index", "artifact"]
    artifact_type: str = ""
    platform: Platform | None = None
    created: datetime | None = None
    size_bytes: int | None = None
    config: Digest | None = None
    children: tuple[Child, ...] = ()
    attached: tuple[Digest, ...] = ()
    blobs: tuple[Digest, ...] = ()


class Contents:
    """Manifests and blobs by digest; makes more of them from its source of randomness.

    plain: tagged-to-be manifests that may be found in any repository (no signatures: those belong to a subject).
    """

    def __init__(self, random: Random) -> None:
        self.manifests: dict[Digest, Made] = {}
        self.blobs: dict[Digest, bytes] = {}
        self.plain: list[Digest] = []
        self._random: Final = random
        self._serial = 0
        self._layers: Final = [self._blob(random.randbytes(random.randrange(40, 200))) for _ in range(60)]
        self._configs: Final[dict[Platform, list[tuple[Digest, datetime]]]] = {}
        self._images: Final[dict[Platform, list[Digest]]] = {}

    def image(
        self, media_type: str = media_types.OCI_MANIFEST, platform: Platform | None = None, label: str = ""
    ) -> Digest:
        """Make an image; about a third share their config with an earlier image of the platform."""
        platform = platform or self._random.choice(PLATFORMS[:8])
        config, created = self._config(platform, label)
        docker = media_type == media_types.DOCKER_MANIFEST
        layers = self._random.sample(self._layers, self._random.randrange(1, 4))
        digest = self._manifest(
            media_type,
            media_types.DOCKER_CONFIG if docker else media_types.OCI_CONFIG,
            config,
            [(_DOCKER_LAYER if docker else _OCI_LAYER, layer) for layer in layers],
            kind="image",
            platform=platform,
            created=created,
        )
        self._images.setdefault(platform, []).append(digest)
        return digest

    def artifact(self, config_type: str, layer_type: str, *, told: str, artifact_type: str | None = None) -> Digest:
        """Make an artifact of one layer. told: the artifact type that a reader should find."""
        config = self._blob(b"{}" if config_type == media_types.OCI_EMPTY else _json({"name": self._next()}))
        layer = self._blob(_json({"document": self._next()}))
        return self._manifest(
            media_types.OCI_MANIFEST,
            config_type,
            config,
            [(layer_type, layer)],
            kind="artifact",
            told=told,
            artifact_type=artifact_type,
        )

    def index(
        self,
        media_type: str = media_types.OCI_INDEX,
        *,
        tells_platforms: bool = True,
        attested: bool = False,
        more: tuple[Digest, ...] = (),
    ) -> Digest:
        """Make an index of two to four platforms. more: entries without a platform.

        About a third of the images are shared with other indexes. attested: each gets an attestation entry.
        """
        image_type = media_types.DOCKER_MANIFEST if media_type == media_types.DOCKER_LIST else media_types.OCI_MANIFEST
        images = [
            self._shared_image(platform, image_type)
            for platform in self._random.sample(PLATFORMS, self._random.randrange(2, 5))
        ]
        attestations = [self._attestation() for _ in images] if attested else []
        entries = [self._entry(digest, tells_platforms) for digest in (*images, *more)]
        entries += [self._attestation_entry(*pair) for pair in zip(attestations, images, strict=False)]
        body = _json({"schemaVersion": 2, "mediaType": media_type, "manifests": entries})
        children = [Child(digest, self.manifests[digest].platform if tells_platforms else None) for digest in images]
        children += [Child(digest, None) for digest in more]
        return self._keep(
            Made(
                Digest.of(body),
                body,
                media_type,
                "index",
                children=tuple(children),
                attached=tuple(attestations),
            )
        )

    def schema1(self) -> Digest:
        """Make a schema 1 image, its signature left to the registry."""
        platform = PLATFORMS[0]
        created = self._time()
        newest = {"os": platform.os, "architecture": platform.architecture, "created": _told(created)}
        layer = self._random.choice(self._layers)
        document = {
            "schemaVersion": 1,
            "name": "made/long-ago",
            "tag": self._next(),
            "architecture": platform.architecture,
            "fsLayers": [{"blobSum": layer}],
            "history": [{"v1Compatibility": json.dumps(newest)}],
        }
        body = json.dumps(document, indent=3).encode()
        return self._keep(
            Made(
                Digest.of(body),
                body,
                media_types.SCHEMA1_SIGNED,
                "image",
                platform=platform,
                created=created,
                blobs=(layer,),
            )
        )

    def _shared_image(self, platform: Platform, media_type: str) -> Digest:
        known = [
            digest for digest in self._images.get(platform, [])[-20:] if self.manifests[digest].media_type == media_type
        ]
        if known and self._random.random() < 0.35:
            return self._random.choice(known)
        return self.image(media_type, platform)

    def _attestation(self) -> Digest:
        """BuildKit's provenance: an image's config over a document."""
        return self.artifact(media_types.OCI_CONFIG, _IN_TOTO, told=_IN_TOTO)

    def _entry(self, digest: Digest, tells_platform: bool) -> Entry:
        made = self.manifests[digest]
        entry: Entry = {"mediaType": made.media_type, "digest": digest, "size": len(made.body)}
        if made.kind == "artifact":
            entry["artifactType"] = made.artifact_type
        if made.platform and tells_platform:
            entry["platform"] = _platform(made.platform)
        return entry

    def _attestation_entry(self, attestation: Digest, subject: Digest) -> Entry:
        annotations = {
            media_types.ATTESTATION_REFERENCE: "attestation-manifest",
            "vnd.docker.reference.digest": subject,
        }
        return self._entry(attestation, False) | {
            "annotations": annotations,
            "platform": {"os": "unknown", "architecture": "unknown"},
        }

    def _config(self, platform: Platform, label: str) -> tuple[Digest, datetime]:
        known = self._configs.setdefault(platform, [])
        if known and not label and self._random.random() < 0.3:
            return self._random.choice(known)
        created = self._time()
        config = {
            **_platform(platform),
            "created": _told(created),
            "config": {"Labels": {"serial": self._next(), "label": label}},
            "rootfs": {"type": "layers", "diff_ids": []},
        }
        known.append((self._blob(_json(config)), created))
        return known[-1]

    def _manifest(
        self,
        media_type: str,
        config_type: str,
        config: Digest,
        layers: list[tuple[str, Digest]],
        *,
        kind: Literal["image", "artifact"],
        told: str = "",
        artifact_type: str | None = None,
        platform: Platform | None = None,
        created: datetime | None = None,
    ) -> Digest:
        document: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type}
        if artifact_type:
            document["artifactType"] = artifact_type
        document["config"] = self._descriptor(config_type, config)
        document["layers"] = [self._descriptor(*layer) for layer in layers]
        body = _json(document)
        blobs = (config, *(digest for _, digest in layers))
        return self._keep(
            Made(
                Digest.of(body),
                body,
                media_type,
                kind,
                artifact_type=told,
                platform=platform,
                created=created,
                size_bytes=sum(len(self.blobs[blob]) for blob in blobs),
                config=config if kind == "image" else None,
                blobs=blobs,
            )
        )

    def _keep(self, made: Made) -> Digest:
        self.manifests[made.digest] = made
        return made.digest

    def _descriptor(self, media_type: str, digest: Digest) -> Entry:
        return {"mediaType": media_type, "digest": digest, "size": len(self.blobs[digest])}

    def _blob(self, body: bytes) -> Digest:
        digest = Digest.of(body)
        self.blobs[digest] = body
        return digest

    def _next(self) -> str:
        self._serial += 1
        return f"{self._serial}-{self._random.getrandbits(32):08x}"

    def _time(self) -> datetime:
        return datetime(2015, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self._random.randrange(10 * 365 * 86_400_000))


Maker = Callable[[Contents, Digest | None], tuple[Digest, str]]
"""Makes a manifest, about a subject if there is one; returns its digest and the tag it must have, "" for any."""


def _any_tag(make: Callable[[Contents], Digest]) -> Maker:
    def maker(contents: Contents, subject: Digest | None) -> tuple[Digest, str]:
        digest = make(contents)
        contents.plain.append(digest)
        return digest, ""

    return maker


def _beside(suffix: str, layer_type: str) -> Maker:
    """Return a maker of what cosign puts beside its subject; it makes the subject where there is none."""

    def maker(contents: Contents, subject: Digest | None) -> tuple[Digest, str]:
        digest = contents.artifact(media_types.OCI_CONFIG, layer_type, told=layer_type)
        about = subject or contents.image()
        return digest, f"sha256-{about.hex}.{suffix}"

    return maker


def _sbom(contents: Contents) -> Digest:
    return contents.artifact(media_types.OCI_EMPTY, _SPDX, told=_SPDX, artifact_type=_SPDX)


MAKERS: Final[dict[str, Maker]] = {
    "docker image": _any_tag(lambda contents: contents.image(media_types.DOCKER_MANIFEST)),
    "oci image": _any_tag(lambda contents: contents.image()),
    "windows image": _any_tag(lambda contents: contents.image(media_types.DOCKER_MANIFEST, PLATFORMS[8])),
    "schema 1 image": _any_tag(Contents.schema1),
    "oci index": _any_tag(Contents.index),
    "docker list": _any_tag(lambda contents: contents.index(media_types.DOCKER_LIST)),
    "index with attestations": _any_tag(lambda contents: contents.index(attested=True)),
    "index without platforms": _any_tag(lambda contents: contents.index(tells_platforms=False)),
    "index with an artifact": _any_tag(lambda contents: contents.index(more=(_sbom(contents),))),
    "index in an index": _any_tag(lambda contents: contents.index(more=(contents.index(),))),
    "helm chart": _any_tag(
        lambda contents: contents.artifact(media_types.HELM_CONFIG, _HELM_LAYER, told=media_types.HELM_CONFIG)
    ),
    "sbom": _any_tag(_sbom),
    "cosign signature": _beside("sig", media_types.COSIGN_SIGNATURE),
    "cosign attestation": _beside("att", _DSSE),
    "cosign sbom": _beside("sbom", "text/spdx"),
}
KINDS: Final[dict[str, int]] = {
    "docker image": 30,
    "oci image": 25,
    "windows image": 3,
    "schema 1 image": 1,
    "oci index": 14,
    "docker list": 8,
    "index with attestations": 7,
    "index without platforms": 1,
    "index with an artifact": 1,
    "index in an index": 1,
    "helm chart": 3,
    "sbom": 2,
    "cosign signature": 2,
    "cosign attestation": 1,
    "cosign sbom": 1,
}
"""Every kind of thing a tag may point to, with its weight among the tags of an estate."""


def _platform(platform: Platform) -> Entry:
    told = {
        "os": platform.os,
        "architecture": platform.architecture,
        "variant": platform.variant,
        "os.version": platform.os_version,
    }
    return {name: value for name, value in told.items() if value}


def _told(time: datetime) -> str:
    """Return the time as Go writes it, to the nanosecond."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
