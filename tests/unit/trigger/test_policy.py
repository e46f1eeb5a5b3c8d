"""Which sightings lead to a scan, and what an event has to hold."""

from typing import Any

import pytest

from services.trigger.policy import is_wanted, sighting, trigger_of
from shared.errors import PermanentError
from shared.messages.cloud_events import event_on_kafka
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import FirstLoadTriggers
from shared.messages.image_events import EventsMode, EventType
from shared.messages.scan_triggers import TriggerReason, platform_name
from tests.integration.trigger.working import AMD64, ARM64, event, image

CONNECTION = Connection(name="a", registry="registry01", host="https://a.example.com", slot=0)


def told(kind: EventType = EventType.IMAGE_DISCOVERED, **changes: Any) -> dict[str, Any]:
    headers, value = event(image(1), kind).on_kafka(EventsMode.BINARY)
    return {**event_on_kafka(headers, value), **changes}


@pytest.mark.parametrize("kind", EventType)
def test_only_images_that_come_up_are_sightings(kind: EventType) -> None:
    comes_up = {
        EventType.IMAGE_DISCOVERED: TriggerReason.DISCOVERED,
        EventType.IMAGE_REAPPEARED: TriggerReason.REAPPEARED,
    }
    seen = sighting(told(kind))
    assert (seen and seen[1]) == comes_up.get(kind)


@pytest.mark.parametrize("data", [None, [], {}, {"digest": "sha256:no"}, "text"])
def test_an_event_without_its_image_is_refused_with_the_field(data: object) -> None:
    with pytest.raises(PermanentError, match="tells of no image: ") as refused:
        sighting(told(data=data))
    assert refused.value.reason == "event_unreadable"


def test_a_field_of_a_later_release_breaks_nothing() -> None:
    later = told()
    assert sighting(told(data={**later["data"], "mood": "good"})) == sighting(later)


@pytest.mark.parametrize(
    ("policy", "rank", "wanted"),
    [
        (FirstLoadTriggers.NONE, 1, False),
        (FirstLoadTriggers.NEWEST, 3, True),
        (FirstLoadTriggers.NEWEST, 4, False),
        (FirstLoadTriggers.NEWEST, None, False),
        (FirstLoadTriggers.ALL, None, True),
    ],
)
def test_of_a_first_load_the_connection_says_what_is_wanted(
    policy: FirstLoadTriggers, rank: int | None, wanted: bool
) -> None:
    connection = CONNECTION.model_copy(update={"first_load_triggers": policy, "first_load_newest": 3})
    assert is_wanted(image(1, snapshot=True, snapshot_rank=rank), connection) is wanted
    assert is_wanted(image(1), connection)
    assert not is_wanted(image(1), None)


def test_a_trigger_has_what_the_event_told() -> None:
    seen = image(1, platform=ARM64, tags=("a", "b"))
    trigger = trigger_of(seen, TriggerReason.DISCOVERED)
    assert trigger.model_dump(exclude={"trigger"}).items() <= seen.model_dump().items()
    assert [platform_name(one) for one in (AMD64, ARM64)] == ["linux/amd64", "linux/arm64/v8"]
