"""What consumers are given is what the models say, and no consumer of yesterday breaks on it."""

import json
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from services.sink.events import Telling, event_of_ending
from shared.messages.compatibility import incompatibilities
from shared.messages.documents import asyncapi, schemas
from tests.support.event_documents import FOLDER, files
from tests.unit.sink.samples import decided, manifest, seen, state_of
from tests.unit.sink.test_events import ENDED

PUBLISHED: Final = sorted(Path(__file__).with_name("published").glob("*.json"))
"""The schemas as they were first given out with version 1: they stay as they are."""


def test_the_documents_are_those_of_the_models() -> None:
    found = {path: path.read_text("utf-8") for path in FOLDER.rglob("*.json")}
    assert found == files(), "run make event-documents"


def test_every_schema_was_published() -> None:
    assert {path.stem for path in PUBLISHED} == schemas().keys()


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_schema_has_only_optional_additions_to_what_was_published(path: Path) -> None:
    assert incompatibilities(json.loads(path.read_text("utf-8")), schemas()[path.stem]) == []


def test_what_the_sink_tells_is_as_the_schemas_say() -> None:
    pair = [manifest("pair", "index", ["amd64", "arm64"]), manifest("amd64"), manifest("arm64")]
    first = seen(1, {"1": "pair", "2": "a"}, manifests=[*pair, manifest("a")])
    then = seen(2, {"1": "a"})
    told = [
        decided(state_of(), first),
        decided(state_of(first), then),
        decided(state_of(first, then), seen(3, {"1": "pair"})),
    ]
    events = [event for decision in told for event in Telling(decision).events()] + [event_of_ending(ENDED)]
    for event in events:
        jsonschema_rs.validator_for(schemas()[event.kind.value]).validate(json.loads(event.data))
    assert {event.kind.value for event in events} >= {
        *("image.discovered", "image.removed", "image.reappeared", "tag.created", "tag.moved", "tag.removed"),
        "scan.completed",
    }
    states = [state for decision in told for state in Telling(decision).states() if state.value is not None]
    for state in states:
        assert state.value is not None
        jsonschema_rs.validator_for(schemas()[state.topic.name]).validate(json.loads(state.value))
    assert {state.topic.name for state in states} == {"image.state", "tag.state"}


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    references = _references(document)
    assert len(references) > 10
    for reference in references:
        part: Any = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
        assert isinstance(part, dict), reference


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for told in value.values() for found in _references(told)]
    return [found for told in value for found in _references(told)] if isinstance(value, list) else []


OLD: Final[dict[str, Any]] = {
    "properties": {"a": {"type": "string"}, "b": {"enum": ["x"]}},
    "required": ["a"],
    "$defs": {"P": {"properties": {"c": {"type": "integer"}}, "required": ["c"]}},
}


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ({**OLD, "title": "other words"}, []),
        ({**OLD, "properties": {**OLD["properties"], "new": {"type": "string"}}}, []),
        ({**OLD, "properties": {"a": {"type": "string"}}}, ["the document: the field b went"]),
        ({**OLD, "required": []}, ["the document: the field a may be missing now"]),
        ({**OLD, "required": ["a", "b"]}, ["the document: the field b must be there now"]),
        (
            {**OLD, "properties": {**OLD["properties"], "new": {}}, "required": ["a", "new"]},
            ["the document: the new field new is required; records of before do not have it"],
        ),
        (
            {**OLD, "properties": {"a": {"type": "integer"}, "b": {"enum": ["x"]}}},
            ["the document, a, type: 'string' became 'integer'"],
        ),
        (
            {**OLD, "properties": {"a": {"type": "string"}, "b": {"enum": ["x", "y"]}}},
            ["the document, b, enum: ['x'] became ['x', 'y']"],
        ),
        ({**OLD, "additionalProperties": False}, ["the document: additionalProperties came"]),
        (
            {**OLD, "$defs": {"P": {"properties": {}, "required": []}}},
            ["the document, P: the field c went", "the document, P: the field c may be missing now"],
        ),
    ],
)
def test_whatever_could_break_a_consumer_is_named(new: dict[str, Any], told: list[str]) -> None:
    assert incompatibilities(OLD, new) == told
