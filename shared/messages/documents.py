"""What consumers are given: a JSON Schema for each public record, and the AsyncAPI document of the public topics.

Made from the models of `image_events`, kept in `docs/events`, served by the console. Pure.
Source: AsyncAPI 3.0.0, its Kafka bindings 0.5.0; CloudEvents 1.0, Kafka protocol binding.
"""

from collections.abc import Mapping
from typing import Any, Final

from shared.messages.image_events import EVENTS, TYPE_PREFIX, EventType, ImageState, Public, TagState
from shared.messages.scan_triggers import SOURCE, ScanTrigger
from shared.messages.topics import IMAGE_EVENTS, IMAGE_STATE, SCAN_TRIGGERS, TAG_STATE, TopicName

VERSION: Final = "1.0.0"
"""Of the contract. Within a major version only optional fields are added (`shared.messages.compatibility`)."""

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_CLOUD_EVENTS: Final[Mapping[TopicName, Mapping[EventType, type[Public]]]] = {
    IMAGE_EVENTS: EVENTS,
    SCAN_TRIGGERS: {EventType.SCAN_TRIGGERED: ScanTrigger},
}
_STATES: Final[Mapping[TopicName, type[Public]]] = {IMAGE_STATE: ImageState, TAG_STATE: TagState}

_TELLS: Final = {
    EventType.IMAGE_DISCOVERED: "An image is in a repository where it was never seen before.",
    EventType.IMAGE_REMOVED: "No tag reaches the image any more, or its repository is gone.",
    EventType.IMAGE_REAPPEARED: "An image that was removed is there again.",
    EventType.TAG_CREATED: "A tag is there that was not.",
    EventType.TAG_MOVED: "A tag points to another digest than before.",
    EventType.TAG_REMOVED: "A tag is gone.",
    EventType.SCAN_COMPLETED: "A scan has ended.",
    EventType.SCAN_FAILED: "A scan has ended, and the registry could not be read.",
    EventType.SCAN_TRIGGERED: "An image is to be scanned: one for each digest and platform, whoever holds it.",
    EventType.STATUS_CHANGED: "A check of a connection came out otherwise than the one before.",
}
_SUBJECTS: Final = {
    EventType.SCAN_COMPLETED: "scan/<scan_id>",
    EventType.SCAN_FAILED: "scan/<scan_id>",
    EventType.SCAN_TRIGGERED: "<digest>",
    EventType.STATUS_CHANGED: "connection/<registry_id>",
}
_SOURCES: Final = {EventType.SCAN_TRIGGERED: SOURCE}


def schemas() -> dict[str, dict[str, Any]]:
    """Return, by name, the JSON Schema of each event's data and of each state."""
    events = {
        kind.value: _schema(model, _TELLS[kind]) for told in _CLOUD_EVENTS.values() for kind, model in told.items()
    }
    states = {topic.name: _schema(model, (model.__doc__ or "").strip()) for topic, model in _STATES.items()}
    return events | states


def _schema(model: type[Public], description: str) -> dict[str, Any]:
    told = model.model_json_schema(mode="serialization", by_alias=True)
    return {"$schema": _DIALECT, **told, "description": description}


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tallyman events",
            "version": VERSION,
            "description": (
                "What changes in container registries, told once for each change. Read committed. Ids are of what "
                "happened, so that whoever sees one twice has seen the same twice. Records of a repository keep their "
                "order. The topics' names have the prefix TALLYMAN_TOPIC_PREFIX before them."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in (*_CLOUD_EVENTS, *_STATES)},
        "operations": {
            f"tell {topic.name}": {"action": "send", "channel": {"$ref": f"#/channels/{topic.name}"}}
            for topic in (*_CLOUD_EVENTS, *_STATES)
        },
        "components": {"messages": _messages(), "schemas": _nested(schemas())},
    }


def _channel(topic: TopicName) -> dict[str, Any]:
    names = [topic.name] if topic in _STATES else [kind.value for kind in _CLOUD_EVENTS[topic]]
    return {
        "address": topic.name,
        "description": _CHANNELS[topic],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {"topicConfiguration": {"cleanup.policy": [topic.kept.value]}, "bindingVersion": "0.5.0"}
        },
    }


_CHANNELS: Final = {
    IMAGE_EVENTS: "CloudEvents 1.0, in Kafka's binary mode unless TALLYMAN_EVENTS_MODE says structured.",
    SCAN_TRIGGERS: "CloudEvents 1.0, as on image.events. At least once: whoever sees an id again has seen it.",
    IMAGE_STATE: "The images that are present now, compacted; a record without a value: the image is gone.",
    TAG_STATE: "Where each tag points now, compacted; a record without a value: the tag is gone.",
}
_KEYS: Final = {
    IMAGE_EVENTS: "<registry_id>/<repository>; of scans and connections <registry_id>",
    SCAN_TRIGGERS: "<digest>",
    IMAGE_STATE: "<registry_id>/<repository>@<digest>",
    TAG_STATE: "<registry_id>/<repository>:<tag>",
}


def _messages() -> dict[str, Any]:
    events = {
        kind.value: {
            "name": TYPE_PREFIX + kind.value,
            "summary": _TELLS[kind],
            "contentType": "application/json",
            "headers": _headers(kind),
            "payload": {"$ref": f"#/components/schemas/{kind.value}"},
            "bindings": _key(topic),
        }
        for topic, told in _CLOUD_EVENTS.items()
        for kind in told
    }
    states = {
        topic.name: {
            "name": topic.name,
            "summary": (model.__doc__ or "").strip(),
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{topic.name}"},
            "bindings": _key(topic),
        }
        for topic, model in _STATES.items()
    }
    return events | states


def _key(topic: TopicName) -> dict[str, Any]:
    key = {"type": "string", "description": _KEYS[topic]}
    return {"kafka": {"key": key, "bindingVersion": "0.5.0"}}


def _headers(kind: EventType) -> dict[str, Any]:
    """Return the schema of an event's headers in the binary mode."""
    text = {"type": "string"}
    subject = _SUBJECTS.get(kind, "<repository>@<digest>, or <repository>:<tag>")
    attributes = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {**text, "format": "uuid", "description": "UUIDv5 of what happened: a replay repeats it."},
        "ce_source": {**text, "description": _SOURCES.get(kind, "urn:tallyman:registry:<registry_id>")},
        "ce_type": {"const": TYPE_PREFIX + kind.value},
        "ce_subject": {**text, "description": subject},
        "ce_time": {
            **text,
            "format": "date-time",
            "description": "When it was observed. For people: it orders nothing.",
        },
        "content-type": {"const": "application/json"},
    }
    return {"type": "object", "required": list(attributes), "properties": attributes}


def _nested(by_name: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return schemas as AsyncAPI nests them: their shared parts side by side with them."""
    parts: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    for name, schema in by_name.items():
        own = {key: value for key, value in schema.items() if key not in ("$schema", "$defs")}
        nested[name] = _rerooted(own)
        parts |= {part: _rerooted(told) for part, told in schema.get("$defs", {}).items()}
    return nested | parts


def _rerooted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rerooted(told) for key, told in value.items()}
    if isinstance(value, list):
        return [_rerooted(told) for told in value]
    return value.replace("#/$defs/", "#/components/schemas/") if isinstance(value, str) else value
