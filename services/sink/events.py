"""The public events of a decision, and what it says is present now. Ids are deterministic. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from services.sink.decision import Change, Decision, RegistryFacts
from services.sink.ending import Ending
from shared.messages.cloud_events import CloudEvent, identity, of_registry
from shared.messages.image_events import (
    EventPlatform,
    EventType,
    ImageEvent,
    ImageState,
    Public,
    ScanEvent,
    TagEvent,
    TagState,
    observed_by,
)
from shared.messages.model import ScanContext
from shared.messages.topics import IMAGE_STATE, TAG_STATE, TopicName
from shared.oci.digest import Digest
from shared.oci.reference import purl, reference
from shared.store.rows import ImageRow, TagRow

_IMAGE: Final = "image"
_UNTOLD: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class State:
    """A record of a state topic.  of: its key behind the registry's id.  value: None = gone."""

    topic: TopicName
    of: str
    value: Public | None


def events_of(decision: Decision) -> Iterator[CloudEvent]:
    """Yield the decision's events, in the order they are told."""
    images = {row.digest: row for row in decision.rows.images}
    ranks = _tags_by_age(decision, images) if decision.snapshot else {}
    for change in decision.changes:
        if change.tag is not None:
            yield _event(decision, change, f"{decision.repository}:{change.tag}", _tag_event(decision, change))
        elif change.digest is not None:
            image = _image_event(decision, images[change.digest], ranks)
            yield _event(decision, change, f"{decision.repository}@{change.digest}", image)


def event_of_ending(ending: Ending) -> CloudEvent:
    """Return `scan.failed` for a scan whose catalog could not be read, `scan.completed` for any other."""
    kind = EventType.SCAN_FAILED if ending.status == "failed" else EventType.SCAN_COMPLETED
    context = ending.context
    told = ScanEvent(
        **_of_scan(context, ending.registry),
        kind=context.kind,
        status=ending.status,
        repositories=ending.repositories,
        **ending.counts.model_dump(),
    )
    id_ = identity(context.registry, "", "", "", "", kind, context.scan)
    return CloudEvent.of(id_, kind, of_registry(context.registry), f"scan/{context.scan}", ending.ended_at, told)


def states_of(decision: Decision) -> Iterator[State]:
    """Yield what is present now, and what is not any more, of the rows that the decision writes."""
    for image in decision.rows.images:
        if image.kind == _IMAGE:
            value = _image_state(decision, image) if image.present else None
            yield State(IMAGE_STATE, f"{decision.repository}@{image.digest}", value)
    for tag in decision.rows.tags:
        yield State(TAG_STATE, f"{decision.repository}:{tag.tag}", _tag_state(decision, tag) if tag.present else None)


def _event(decision: Decision, change: Change, subject: str, told: Public) -> CloudEvent:
    registry, kind = decision.context.registry, EventType(change.type)
    ends = (change.previous or "", change.digest or "")
    id_ = identity(registry, decision.repository, change.tag or "", *ends, kind, decision.context.scan)
    return CloudEvent.of(id_, kind, of_registry(registry), subject, decision.decided_at, told)


def _of_registry(context: ScanContext, registry: RegistryFacts) -> dict[str, Any]:
    return {
        "registry": registry.name,
        "registry_id": context.registry,
        "host": registry.host,
        "scan_id": context.scan,
    }


def _of_scan(context: ScanContext, registry: RegistryFacts) -> dict[str, Any]:
    return {
        **_of_registry(context, registry),
        "reason": context.reason,
        "observed_by": observed_by(context.kind, context.reason),
    }


def _of_repository(decision: Decision) -> dict[str, Any]:
    of_scan = _of_scan(decision.context, decision.registry)
    return {**of_scan, "repository": decision.repository, "snapshot": decision.snapshot}


def _tag_event(decision: Decision, change: Change) -> TagEvent:
    return TagEvent(
        **_of_repository(decision),
        tag=change.tag or "",
        previous=change.previous,
        digest=change.digest,
        reference=_reference(decision, change.digest) if change.digest else None,
        images=_images(decision, change.digest) if change.digest else (),
    )


def _image_event(decision: Decision, row: ImageRow, ranks: Mapping[str, int]) -> ImageEvent:
    tags = decision.tags_of.get(row.digest, ())
    rank = min((ranks[tag] for tag in tags), default=None) if decision.snapshot else None
    return ImageEvent(**_of_repository(decision), **_facts(decision, row), tags=tags, snapshot_rank=rank)


def _tags_by_age(decision: Decision, images: Mapping[Digest, ImageRow]) -> dict[str, int]:
    """Return the rank of each tag that reaches an image which is told: 1 is the one whose image was built last.

    A tag is as new as the newest image it reaches; those whose images tell no time come last.
    """
    built: dict[str, datetime] = {}
    for digest, tags in decision.tags_of.items():
        for tag in tags:
            built[tag] = max(built.get(tag, _UNTOLD), images[digest].created or _UNTOLD)
    by_age = sorted(sorted(built), key=lambda tag: built[tag], reverse=True)
    return {tag: rank for rank, tag in enumerate(by_age, 1)}


def _image_state(decision: Decision, row: ImageRow) -> ImageState:
    of_registry = _of_registry(decision.context, decision.registry)
    return ImageState(**of_registry, repository=decision.repository, **_facts(decision, row))


def _tag_state(decision: Decision, row: TagRow) -> TagState:
    return TagState(
        **_of_registry(decision.context, decision.registry),
        repository=decision.repository,
        tag=row.tag,
        digest=row.digest,
        reference=_reference(decision, row.digest),
        images=_images(decision, row.digest),
    )


def _facts(decision: Decision, row: ImageRow) -> dict[str, Any]:
    return {
        "digest": row.digest,
        "reference": _reference(decision, row.digest),
        "purl": purl(decision.registry.host, decision.repository, row.digest, row.architecture),
        "platform": EventPlatform(
            os=row.os, architecture=row.architecture, variant=row.variant, os_version=row.os_version
        ),
        "media_type": row.media_type,
        "size_bytes": row.size_bytes,
        "created": row.created,
        "first_seen": row.first_seen,
    }


def _reference(decision: Decision, digest: Digest) -> str:
    return reference(decision.registry.host, decision.repository, digest)


def _images(decision: Decision, digest: Digest) -> tuple[Digest, ...]:
    return decision.images_of.get(digest, (digest,))
