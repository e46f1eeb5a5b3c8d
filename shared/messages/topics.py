"""The topics: name, how they are kept, what lies on them. A name stands here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

from shared.messages.delivery_requested import DeliveryRequested
from shared.messages.images_observed import ImagesObserved
from shared.messages.model import Message
from shared.messages.repository_found import RepositoryFound
from shared.messages.scan_progressed import ScanProgressed
from shared.messages.scan_requested import ScanRequested
from shared.messages.tags_found import TagsFound
from shared.messages.trigger_wanted import TriggerWanted

M = TypeVar("M", bound=Message)

_DAY_MS: Final = 24 * 3600 * 1000


class Kept(StrEnum):
    """Kafka's cleanup.policy."""

    COMPACT = "compact"
    DELETE = "delete"


@dataclass(frozen=True)
class TopicName:
    """A topic as it is created and checked.

    partitions: None = as many as the chain has.  retention_ms: for Kept.DELETE.  retention_days: the setting that says
    how long instead.  is_compacted_early: what was replaced leaves it within an hour.
    is_log_of_beats: what was replaced leaves it after a minute, and its records are stamped by the broker.
    """

    name: str
    kept: Kept
    partitions: int | None = None
    retention_ms: int = 7 * _DAY_MS
    retention_days: str = ""
    is_compacted_early: bool = False
    is_log_of_beats: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Topic(TopicName, Generic[M]):
    """A topic of the chain and the one message class on it."""

    message: type[M] = None  # type: ignore[assignment]  # required; a dataclass needs a default after defaults


SCAN_REQUESTED: Final = Topic("scan.requested", Kept.DELETE, message=ScanRequested)
REPOSITORY_FOUND: Final = Topic("repository.found", Kept.DELETE, message=RepositoryFound)
TAGS_FOUND: Final = Topic("tags.found", Kept.DELETE, message=TagsFound)
IMAGES_OBSERVED: Final = Topic("images.observed", Kept.DELETE, message=ImagesObserved)
SCAN_PROGRESSED: Final = Topic("scan.progressed", Kept.DELETE, message=ScanProgressed)

CONNECTION_CHANGED: Final = TopicName("connection.changed", Kept.COMPACT, partitions=1, is_compacted_early=True)
BUDGET_CLAIMED: Final = TopicName("budget.claimed", Kept.COMPACT, partitions=1, is_log_of_beats=True)
SERVICE_REPORTED: Final = TopicName("service.reported", Kept.DELETE, partitions=1, retention_ms=3600 * 1000)
IMAGE_EVENTS: Final = TopicName("image.events", Kept.DELETE, retention_days="events_days")
IMAGE_STATE: Final = TopicName("image.state", Kept.COMPACT)
TAG_STATE: Final = TopicName("tag.state", Kept.COMPACT)
SCAN_TRIGGERS: Final = TopicName("scan.triggers", Kept.DELETE)
PUBLIC: Final = (IMAGE_EVENTS, IMAGE_STATE, TAG_STATE, SCAN_TRIGGERS)

TRIGGER_WANTED: Final = Topic("trigger.wanted", Kept.DELETE, message=TriggerWanted)
DELIVERY_REQUESTED: Final = Topic("delivery.requested", Kept.DELETE, message=DeliveryRequested)
TRIGGERED: Final = TopicName("trigger-triggered-changelog", Kept.COMPACT)
OF_TRIGGERS: Final = (TRIGGER_WANTED, DELIVERY_REQUESTED, TRIGGERED)
"""Within the trigger service: events by digest, what is handed on, and the log behind its table."""

CHAIN: Final[tuple[Topic[Message], ...]] = (
    SCAN_REQUESTED,  # type: ignore[assignment]  # a Topic is read, never written through: covariant in practice
    REPOSITORY_FOUND,
    TAGS_FOUND,
    IMAGES_OBSERVED,
    SCAN_PROGRESSED,
)
BY_MESSAGE: Final[Mapping[type[Message], Topic[Message]]] = {topic.message: topic for topic in CHAIN}


STAGES: Final = ("lister", "tagger", "manifester", "sink")
"""The stages of the chain, in its order."""

WITH_DEAD_LETTERS: Final = (*STAGES, "trigger", "deliverer")
"""What has dead letters."""


def dead_letter(stage: str) -> TopicName:
    """Return the dead-letter topic of a stage."""
    return TopicName(f"{stage}.dead-letter", Kept.DELETE, retention_days="dead_letters_days")
