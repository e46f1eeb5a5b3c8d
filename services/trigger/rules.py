"""What is done for an event, and for an image that is wanted: in this order, or something would be lost."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.trigger.event import trigger_event
from services.trigger.policy import is_wanted, sighting, trigger_of
from shared.errors import PermanentError
from shared.messages.cloud_events import Headers, event_on_kafka
from shared.messages.codec import decode, encode_whole
from shared.messages.connection_changed import Connection
from shared.messages.delivery_requested import DeliveryRequested
from shared.messages.image_events import EventsMode
from shared.messages.topics import DELIVERY_REQUESTED, SCAN_TRIGGERS, TRIGGER_WANTED, TopicName
from shared.messages.trigger_wanted import TriggerWanted


@dataclass(frozen=True)
class Received:
    """A record as it came."""

    headers: Headers
    value: bytes | None
    offset: int


Send = Callable[[TopicName, bytes, bytes, Headers], Awaitable[None]]
"""Sends a record (topic, key, value, headers); returns once the broker has acknowledged it."""


class KnowsConnections(Protocol):
    """The connections as they are now."""

    async def latest(self, registry: str) -> Connection | None: ...


class Triggered(Protocol):
    """The table of what was triggered: id of the last trigger by digest and platform."""

    def last(self, entry: bytes) -> bytes | None: ...
    def keep(self, entry: bytes, id_: bytes) -> None: ...


@dataclass(frozen=True)
class Gathering:
    """Puts sightings of one digest together: image events become `trigger.wanted`, keyed by digest."""

    connections: KnowsConnections
    send: Send

    async def work(self, record: Received) -> None:
        """Work one image event. Raises PermanentError for what is none, TransientError."""
        event = event_on_kafka(record.headers, record.value)
        seen = sighting(event)
        if seen is None:
            return
        image, reason = seen
        if not is_wanted(image, await self.connections.latest(image.registry_id)):
            return
        wanted = TriggerWanted(trigger=trigger_of(image, reason), seen_at=_time_of(event))
        await self.send(TRIGGER_WANTED, wanted.key, encode_whole(wanted), ())


@dataclass(frozen=True)
class Triggering:
    """Sends a trigger for each digest and platform that has none yet.

    pace: entered before each trigger; waits.  receivers: who is handed each trigger beside the topic.
    """

    triggered: Triggered
    send: Send
    pace: AbstractAsyncContextManager[object]
    receivers: Sequence[str]
    mode: EventsMode

    async def work(self, record: Received) -> None:
        """Work one image that is wanted. Raises PermanentError for what is no such message.

        The table is written last: a crash before it sends the same trigger again, with the same id. The other way
        round, a crash in between would lose it.
        """
        wanted = decode(TriggerWanted, record.value, record.offset)
        before = self.triggered.last(wanted.entry)
        if before == wanted.id.encode() or (before is not None and not wanted.asked):
            return
        async with self.pace:
            headers, value = trigger_event(wanted.id, wanted.seen_at, wanted.trigger).on_kafka(self.mode)
            await self.send(SCAN_TRIGGERS, wanted.key, value, headers)
            for receiver in self.receivers:
                told = DeliveryRequested(receiver=receiver, id=wanted.id, at=wanted.seen_at, trigger=wanted.trigger)
                await self.send(DELIVERY_REQUESTED, wanted.key, encode_whole(told), ())
        self.triggered.keep(wanted.entry, wanted.id.encode())


def _time_of(event: dict[str, object]) -> datetime:
    try:
        return datetime.fromisoformat(str(event.get("time")))
    except ValueError as error:
        raise PermanentError("The event tells no time.", reason="event_unreadable") from error
