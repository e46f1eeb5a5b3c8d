"""The public events of a decision, and what it says is present now. Ids are deterministic. Pure.

A first load tells four records a tag, and telling them was half of the sink's time. So what the records of a decision
have in common is written as JSON once, and none is made through its model (`shared.messages.image_events`); a test
holds every kind of record against its model.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import to_json

from services.sink.decision import Change, ChangeType, Decision, RegistryFacts
from services.sink.ending import Ending
from shared.messages.cloud_events import CloudEvent, identity, of_registry
from shared.messages.image_events import EventType, ScanEvent, observed_by
from shared.messages.model import ScanContext
from shared.messages.topics import IMAGE_STATE, TAG_STATE, TopicName
from shared.oci.digest import Digest
from shared.oci.reference import purl, reference
from shared.store.rows import ImageRow, TagRow

_IMAGE: Final = "image"
_UNTOLD: Final = datetime.min.replace(tzinfo=UTC)
_KINDS: Final = {kind: EventType(kind) for kind in ChangeType}


@dataclass(slots=True)  # not frozen: see shared.messages.cloud_events.CloudEvent
class State:
    """A record of a state topic.  of: its key behind the registry's id.  value: JSON, None = gone."""

    topic: TopicName
    of: str
    value: bytes | None


def event_of_ending(ending: Ending) -> CloudEvent:
    """Return `scan.failed` for a scan whose catalog could not be read, `scan.completed` for any other."""
    kind = EventType.SCAN_FAILED if ending.status == "failed" else EventType.SCAN_COMPLETED
    context = ending.context
    told = ScanEvent(
        **_of_registry(context, ending.registry),
        **_of_scan(context),
        kind=context.kind,
        status=ending.status,
        repositories=ending.repositories,
        **ending.counts.model_dump(),
    )
    id_ = identity(context.registry, "", "", "", "", kind, context.scan)
    return CloudEvent.of(id_, kind, of_registry(context.registry), f"scan/{context.scan}", ending.ended_at, told)


class Telling:
    """Writes the records of one decision: what they have in common, and what is told of an image, once."""

    def __init__(self, decision: Decision) -> None:
        context = decision.context
        self._decision: Final = decision
        self._context: Final = context
        self._host: Final = decision.registry.host
        self._source: Final = of_registry(context.registry)
        common = {
            **_of_registry(context, decision.registry),
            "scan_id": context.scan,
            "repository": decision.repository,
        }
        self._of_state: Final = to_json(common)[:-1] + b","
        self._of_event: Final = to_json({**common, **_of_scan(context), "snapshot": decision.snapshot})[:-1] + b","
        self._facts: Final[dict[Digest, bytes]] = {}
        self._ends: Final[dict[Digest | None, bytes]] = {}

    def events(self) -> Iterator[CloudEvent]:
        """Yield the decision's events, in the order they are told."""
        decision = self._decision
        images = {row.digest: row for row in decision.rows.images}
        ranks = _tags_by_age(decision, images) if decision.snapshot else {}
        for change in decision.changes:
            if change.tag is not None:
                yield self._event(change, f"{decision.repository}:{change.tag}", self._tag_event(change))
            elif change.digest is not None:
                told = self._image_event(images[change.digest], ranks)
                yield self._event(change, f"{decision.repository}@{change.digest}", told)

    def states(self) -> Iterator[State]:
        """Yield what is present now, and what is not any more, of the rows that the decision writes."""
        repository = self._decision.repository
        for image in self._decision.rows.images:
            if image.kind == _IMAGE:
                value = self._of_state + self._facts_of(image)[1:] if image.present else None
                yield State(IMAGE_STATE, f"{repository}@{image.digest}", value)
        for tag in self._decision.rows.tags:
            yield State(TAG_STATE, f"{repository}:{tag.tag}", self._tag_state(tag) if tag.present else None)

    def _event(self, change: Change, subject: str, data: bytes) -> CloudEvent:
        decision, kind = self._decision, _KINDS[change.type]
        ends = (change.previous or "", change.digest or "")
        id_ = identity(self._context.registry, decision.repository, change.tag or "", *ends, kind, self._context.scan)
        return CloudEvent(id_, kind, self._source, subject, decision.decided_at, data)

    def _tag_event(self, change: Change) -> bytes:
        told = to_json({"tag": change.tag, "from": change.previous, "to": change.digest})
        return self._of_event + told[1:-1] + self._reached(change.digest)

    def _tag_state(self, row: TagRow) -> bytes:
        told = to_json({"tag": row.tag, "digest": row.digest})
        return self._of_state + told[1:-1] + self._reached(row.digest)

    def _image_event(self, row: ImageRow, ranks: Mapping[str, int]) -> bytes:
        decision = self._decision
        tags = decision.tags_of.get(row.digest, ())
        rank = min((ranks[tag] for tag in tags), default=None) if decision.snapshot else None
        facts = self._facts_of(row)[1:-1]
        return self._of_event + facts + b"," + to_json({"tags": tags, "snapshot_rank": rank})[1:]

    def _reached(self, digest: Digest | None) -> bytes:
        """Return what is told of a tag's digest, the end of a JSON object: its event and its state tell the same."""
        told = self._ends.get(digest)
        if told is None:
            images = self._decision.images_of.get(digest, (digest,)) if digest else ()
            reference = self._reference(digest) if digest else None
            told = self._ends[digest] = b"," + to_json({"reference": reference, "images": images})[1:]
        return told

    def _facts_of(self, row: ImageRow) -> bytes:
        """Return what is told of an image, a JSON object: its event and its state tell the same."""
        told = self._facts.get(row.digest)
        if told is None:
            told = self._facts[row.digest] = to_json(self._image(row))
        return told

    def _image(self, row: ImageRow) -> dict[str, Any]:
        return {
            "digest": row.digest,
            "reference": self._reference(row.digest),
            "purl": purl(self._host, self._decision.repository, row.digest, row.architecture),
            "platform": {
                "os": row.os,
                "architecture": row.architecture,
                "variant": row.variant,
                "os_version": row.os_version,
            },
            "media_type": row.media_type,
            "size_bytes": row.size_bytes,
            "created": row.created,
            "first_seen": row.first_seen,
        }

    def _reference(self, digest: Digest) -> str:
        return reference(self._host, self._decision.repository, digest)


def _of_registry(context: ScanContext, registry: RegistryFacts) -> dict[str, Any]:
    return {"registry": registry.name, "registry_id": context.registry, "host": registry.host}


def _of_scan(context: ScanContext) -> dict[str, Any]:
    return {
        "scan_id": context.scan,
        "reason": context.reason,
        "observed_by": observed_by(context.kind, context.reason),
    }


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
