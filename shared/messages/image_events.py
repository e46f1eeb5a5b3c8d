"""`image.events`, `image.state` and `tag.state`: what the public is told. The one description of it.

The JSON Schemas and the AsyncAPI document are made from these models. Within a version only optional fields are added.
"""

from enum import StrEnum
from typing import Final

from pydantic import ConfigDict, Field

from shared.messages.connection_notes import Health
from shared.messages.model import Moment, ScanKind, ScanReason, Shape
from shared.messages.scan_progressed import Counts, ScanStatus
from shared.oci.digest import Digest

TYPE_PREFIX: Final = "dev.tallyman."


class EventType(StrEnum):
    """What can be told; a CloudEvent's `type` is this behind `TYPE_PREFIX`."""

    IMAGE_DISCOVERED = "image.discovered"
    IMAGE_REMOVED = "image.removed"
    IMAGE_REAPPEARED = "image.reappeared"
    TAG_CREATED = "tag.created"
    TAG_MOVED = "tag.moved"
    TAG_REMOVED = "tag.removed"
    SCAN_COMPLETED = "scan.completed"
    SCAN_FAILED = "scan.failed"
    SCAN_TRIGGERED = "scan.triggered"
    STATUS_CHANGED = "connection.status_changed"


class ObservedBy(StrEnum):
    """What made us look: a full load, a registry's webhook, or a person who asked for one repository."""

    SWEEP = "sweep"
    WEBHOOK = "webhook"
    MANUAL = "manual"


def observed_by(kind: ScanKind, reason: ScanReason) -> ObservedBy:
    """Return what made us look."""
    if reason is ScanReason.WEBHOOK:
        return ObservedBy.WEBHOOK
    return ObservedBy.SWEEP if kind is ScanKind.FULL else ObservedBy.MANUAL


class Public(Shape):
    """Base of what the public reads: every field of it is told, empty ones as null."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class OfRegistry(Public):
    """Which registry it is about."""

    registry: str = Field(description="Name of the registry, as its connection was named then.")
    registry_id: str = Field(description="The registry's id: random, stays when the connection is renamed.")
    host: str = Field(description="Host with its protocol, as in https://registry.example.com.")


class OfScan(OfRegistry):
    """Which scan saw it."""

    scan_id: int = Field(description="Number of the scan; the higher, the later, among those of one registry.")
    reason: ScanReason = Field(description="Who asked for the scan.")
    observed_by: ObservedBy = Field(
        description="What made us look: a full load (sweep), a registry's webhook, or a person who asked for one "
        "repository (manual)."
    )


class OfRepository(OfScan):
    """Which repository it is in, and whether it was there when the registry was connected."""

    repository: str = Field(description="Repository, without the host.")
    snapshot: bool = Field(
        description="True during a registry's first load: it was there before, and was not just pushed."
    )


class EventPlatform(Public):
    """What an image runs on; empty where it is not told."""

    os: str = Field(description="As in linux.")
    architecture: str = Field(description="As in amd64.")
    variant: str = Field(description="As in v8.")
    os_version: str = Field(description="As in 10.0.17763.1817.")


class ImageFacts(Public):
    """What an image is, whoever holds it."""

    digest: Digest = Field(description="sha256 of the platform's manifest, which identifies the image.")
    reference: str = Field(description="How to pull it, by digest: registry.example.com/team/app@sha256:…")
    purl: str = Field(description="Package URL of type oci.")
    platform: EventPlatform
    media_type: str = Field(description="Of the manifest.")
    size_bytes: int | None = Field(description="Config and layers together; null where asking would cost a request.")
    created: Moment | None = Field(description="When it was built, as its config tells; null where nobody told.")
    first_seen: Moment = Field(description="When it was first seen in this repository.")


class ImageEvent(OfRepository, ImageFacts):
    """An image, a platform's manifest, came to a repository, went from it, or came back."""

    tags: tuple[str, ...] = Field(description="Tags that reach it, straight or through an index; none when removed.")
    snapshot_rank: int | None = Field(
        None,
        description="In a first load: how new the newest of its tags is among its repository's, 1 is the newest, by "
        "when their images were built. Null otherwise.",
    )


class TagEvent(OfRepository):
    """A tag was made, moved to another digest, or removed."""

    tag: str
    previous: Digest | None = Field(alias="from", description="Digest it pointed to before; null when created.")
    digest: Digest | None = Field(alias="to", description="Digest it points to now; null when removed.")
    reference: str | None = Field(description="How to pull what it points to now, by digest.")
    images: tuple[Digest, ...] = Field(
        description="Images it reaches: itself, or its index's members; none when removed."
    )


class ScanEvent(OfScan, Counts):
    """A scan has ended."""

    kind: ScanKind = Field(description="How much it read: the whole registry, one repository, or one tag.")
    status: ScanStatus = Field(
        description="complete; partial (something was not read); held (removals wait for a person); failed (the "
        "catalog could not be read); cancelled (by a person)."
    )
    repositories: int = Field(description="Repositories it found.")


class StatusEvent(OfRegistry):
    """A check of a connection came out otherwise than the one before."""

    previous: Health | None = Field(alias="from", description="How the check before came out; null when first checked.")
    health: Health = Field(alias="to", description="How the last check came out.")
    stage: str = Field(description="First stage of the check that was not well; empty where all were.")
    told: str = Field(description="What that stage said.")


EVENTS: Final[dict[EventType, type[Public]]] = {
    EventType.IMAGE_DISCOVERED: ImageEvent,
    EventType.IMAGE_REMOVED: ImageEvent,
    EventType.IMAGE_REAPPEARED: ImageEvent,
    EventType.TAG_CREATED: TagEvent,
    EventType.TAG_MOVED: TagEvent,
    EventType.TAG_REMOVED: TagEvent,
    EventType.SCAN_COMPLETED: ScanEvent,
    EventType.SCAN_FAILED: ScanEvent,
    EventType.STATUS_CHANGED: StatusEvent,
}
"""By type, what an event's data holds."""


class ImageState(OfRegistry, ImageFacts):
    """An image that is present in a repository now. Its tombstone: it is gone."""

    repository: str = Field(description="Repository, without the host.")
    scan_id: int = Field(description="Number of the scan that saw the change.")


class TagState(OfRegistry):
    """Where a tag points now. Its tombstone: it is gone."""

    repository: str = Field(description="Repository, without the host.")
    tag: str
    digest: Digest = Field(description="Digest it points to.")
    reference: str = Field(description="How to pull what it points to, by digest.")
    images: tuple[Digest, ...] = Field(description="Images it reaches: itself, or its index's members.")
    scan_id: int = Field(description="Number of the scan that saw the change.")


class EventsMode(StrEnum):
    """How CloudEvents lie on Kafka: attributes as headers, or all in the value."""

    BINARY = "binary"
    STRUCTURED = "structured"
