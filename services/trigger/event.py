"""A trigger as a CloudEvent: on its topic, and as webhooks carry it. Pure."""

from datetime import datetime

from shared.messages.cloud_events import CloudEvent
from shared.messages.image_events import EventType
from shared.messages.scan_triggers import SOURCE, ScanTrigger


def trigger_event(id_: str, at: datetime, trigger: ScanTrigger) -> CloudEvent:
    """Return the event.  at: when the image was seen, or asked for."""
    return CloudEvent.of(id_, EventType.SCAN_TRIGGERED, SOURCE, trigger.digest, at, trigger)
