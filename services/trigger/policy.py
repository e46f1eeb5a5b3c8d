"""Which images that came up are to be scanned. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from shared.errors import PermanentError
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import FirstLoadTriggers
from shared.messages.image_events import TYPE_PREFIX, EventType, ImageEvent
from shared.messages.scan_triggers import ScanTrigger, TriggerReason

_REASONS: Final = {
    TYPE_PREFIX + EventType.IMAGE_DISCOVERED: TriggerReason.DISCOVERED,
    TYPE_PREFIX + EventType.IMAGE_REAPPEARED: TriggerReason.REAPPEARED,
}


def sighting(event: Mapping[str, Any]) -> tuple[ImageEvent, TriggerReason] | None:
    """Return the image that an event tells to be there, None for any other event.  event: in CloudEvents' JSON form.

    Raises PermanentError (reason `event_unreadable`) where its data is not what such an event holds.
    """
    reason = _REASONS.get(str(event["type"]))
    if reason is None:
        return None
    try:
        return ImageEvent.model_validate(event.get("data")), reason
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "data"
        raise PermanentError(
            f"The event {str(event['id'])[:80]} tells of no image: {where}: {first['msg']}.", reason="event_unreadable"
        ) from error


def is_wanted(image: ImageEvent, connection: Connection | None) -> bool:
    """Return whether a sighting may lead to a scan.  connection: as it is now, None where it was deleted."""
    if connection is None:
        return False
    if not image.snapshot:
        return True
    match connection.first_load_triggers:
        case FirstLoadTriggers.NONE:
            return False
        case FirstLoadTriggers.NEWEST:
            return image.snapshot_rank is not None and image.snapshot_rank <= connection.first_load_newest
        case FirstLoadTriggers.ALL:
            return True


def trigger_of(image: ImageEvent, reason: TriggerReason) -> ScanTrigger:
    """Return the trigger that a sighting leads to."""
    told = {name: getattr(image, name) for name in ScanTrigger.model_fields if name in ImageEvent.model_fields}
    return ScanTrigger(**told, trigger=reason)
