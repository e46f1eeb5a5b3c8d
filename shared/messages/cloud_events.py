"""CloudEvents 1.0 on Kafka, in the binary mode and in the structured one. Ids are of what happened. Pure.

Source: CloudEvents spec; its Kafka protocol binding, sections 3.2 and 3.3.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha1
from typing import Final
from uuid import UUID

from pydantic_core import from_json, to_json

from shared.errors import PermanentError
from shared.messages.image_events import TYPE_PREFIX, EventsMode, EventType, Public

_NAMESPACE: Final = UUID("6f1b2f1e-6a52-5d7c-9a37-3a1f1c1c7a11")
_SPECVERSION: Final = "1.0"
_JSON: Final = "application/json"
_STRUCTURED: Final = "application/cloudevents+json"
_CONTENT_TYPE: Final = "content-type"
_ATTRIBUTE: Final = "ce_"

Headers = tuple[tuple[str, bytes], ...]


def identity(registry: str, repository: str, tag: str, old: str, new: str, kind: EventType, number: int | str) -> str:
    """Return an event's id, a UUIDv5 of what happened, so that a replay repeats it. No name holds a line feed.

    number: the scan's, or what else tells two like changes apart.
    """
    name = "\n".join((registry, repository, tag, old, new, kind, str(number)))
    return _uuid5(_NAMESPACE.bytes + name.encode())


def _uuid5(named: bytes) -> str:
    """Return what `str(uuid.uuid5(…))` returns, in a quarter of its time. Source: RFC 9562, 5.5."""
    raw = bytearray(sha1(named, usedforsecurity=False).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x50
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def of_registry(registry: str) -> str:
    """Return the source of what is told about a registry, by its id."""
    return f"urn:tallyman:registry:{registry}"


@dataclass(slots=True)
class CloudEvent:
    """An event.  data: JSON. Not frozen: thousands are made at once, and a frozen one takes thrice as long."""

    id: str
    kind: EventType
    source: str
    subject: str
    time: datetime
    data: bytes

    @classmethod
    def of(cls, id_: str, kind: EventType, source: str, subject: str, time: datetime, data: Public) -> "CloudEvent":
        """Return the event with its data as JSON."""
        return cls(id_, kind, source, subject, time, data.model_dump_json(by_alias=True).encode())

    def on_kafka(self, mode: EventsMode) -> tuple[Headers, bytes]:
        """Return the record's headers and its value."""
        kind, time = TYPE_PREFIX + self.kind, _time_of(self.time)
        if mode is EventsMode.BINARY:
            headers = (
                ("ce_specversion", _encoded(_SPECVERSION)),
                ("ce_id", self.id.encode()),
                ("ce_source", _encoded(self.source)),
                ("ce_type", _encoded(kind)),
                ("ce_subject", self.subject.encode()),
                ("ce_time", _encoded(time)),
                (_CONTENT_TYPE, _encoded(_JSON)),
            )
            return headers, self.data
        attributes = {
            "specversion": _SPECVERSION,
            "id": self.id,
            "source": self.source,
            "type": kind,
            "subject": self.subject,
            "time": time,
            "datacontenttype": _JSON,
        }
        envelope = to_json(attributes)
        return ((_CONTENT_TYPE, _STRUCTURED.encode()),), envelope[:-1] + b',"data":' + self.data + b"}"


@lru_cache(maxsize=256)  # what a decision's events have in common
def _encoded(attribute: str) -> bytes:
    return attribute.encode()


@lru_cache(maxsize=64)
def _time_of(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def event_on_kafka(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> dict[str, object]:
    """Return the event of a record in CloudEvents' JSON form, in whichever mode it lies there.

    Raises PermanentError (reason `event_unreadable`) for a record that is no CloudEvent.
    """
    by_name = {name: told.decode("utf-8", "replace") for name, told in headers}
    try:
        told = from_json(value or b"")
    except ValueError as error:
        raise PermanentError("The record holds no JSON.", reason="event_unreadable") from error
    if by_name.get(_CONTENT_TYPE, "").startswith(_STRUCTURED):
        event = told
    else:
        attributes = {name.removeprefix(_ATTRIBUTE): v for name, v in by_name.items() if name.startswith(_ATTRIBUTE)}
        event = {**attributes, "datacontenttype": by_name.get(_CONTENT_TYPE, _JSON), "data": told}
    if not isinstance(event, dict) or not {"id", "source", "type", "specversion"} <= event.keys():
        raise PermanentError("The record is no CloudEvent: id, source or type is missing.", reason="event_unreadable")
    return event
