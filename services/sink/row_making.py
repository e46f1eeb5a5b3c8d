"""The rows of a decision, made from what was seen. Pure."""

from dataclasses import replace

from services.sink.observation import Observation
from shared.messages.images_observed import ObservedManifest
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.store.rows import ConfigRow, ImageRow, IndexChildRow, RepositoryRow, TagMoveRow, TagRow
from shared.store.state import RepositoryState


def tag_row(seen: Observation, tag: str, digest: Digest, before: TagRow | None, *, present: bool) -> TagRow:
    """Return a tag's row as this scan leaves it.  before: as it was; an unchanged one keeps the time of its change."""
    is_as_before = before is not None and (before.digest, before.present) == (digest, present)
    return TagRow(
        registry=seen.context.registry,
        repository=seen.repository,
        tag=tag,
        digest=digest,
        present=present,
        changed_at=before.changed_at if before is not None and is_as_before else seen.observed_at,
        version=seen.context.scan,
    )


def move_row(seen: Observation, tag: str, digest: Digest | None, previous: Digest | None) -> TagMoveRow:
    return TagMoveRow(
        registry=seen.context.registry,
        repository=seen.repository,
        tag=tag,
        version=seen.context.scan,
        moved_at=seen.observed_at,
        digest=digest,
        previous=previous,
    )


def new_image_row(seen: Observation, manifest: ObservedManifest) -> ImageRow:
    return ImageRow(
        registry=seen.context.registry,
        repository=seen.repository,
        digest=manifest.digest,
        present=True,
        kind=manifest.kind,
        media_type=manifest.media_type,
        artifact_type=manifest.artifact_type,
        os=manifest.platform.os,
        architecture=manifest.platform.architecture,
        variant=manifest.platform.variant,
        os_version=manifest.platform.os_version,
        size_bytes=manifest.size_bytes,
        created=manifest.created,
        config=manifest.config,
        first_seen=seen.observed_at,
        changed_at=seen.observed_at,
        version=seen.context.scan,
    )


def image_row(seen: Observation, row: ImageRow, *, present: bool) -> ImageRow:
    """Return a stored image's row as this scan leaves it, with facts that were not told before."""
    told = seen.manifests.get(row.digest)
    if told and row.size_bytes is None:
        row = replace(row, size_bytes=told.size_bytes, created=told.created or row.created, config=told.config)
    changed_at = row.changed_at if row.present == present else seen.observed_at
    return replace(row, present=present, changed_at=changed_at, version=seen.context.scan)


def child_row(seen: Observation, index: Digest, child: Digest, platform: Platform, *, present: bool) -> IndexChildRow:
    return IndexChildRow(
        registry=seen.context.registry,
        repository=seen.repository,
        index=index,
        child=child,
        os=platform.os,
        architecture=platform.architecture,
        variant=platform.variant,
        os_version=platform.os_version,
        present=present,
        version=seen.context.scan,
    )


def repository_row(state: RepositoryState, seen: Observation) -> RepositoryRow:
    return RepositoryRow(
        registry=seen.context.registry,
        repository=seen.repository,
        present=not seen.absent,
        full=seen.context.scan,
        listed_at=seen.observed_at if seen.complete else state.listed_at,
        decided_at=seen.observed_at,
    )


def config_row(seen: Observation, manifest: ObservedManifest) -> ConfigRow | None:
    """Return the row that spares the next image with this config a request, None where there is no config."""
    if manifest.kind != "image" or manifest.config is None:
        return None
    platform = manifest.platform
    return ConfigRow(
        registry=seen.context.registry,
        digest=manifest.config,
        os=platform.os,
        architecture=platform.architecture,
        variant=platform.variant,
        os_version=platform.os_version,
        created=manifest.created,
    )
