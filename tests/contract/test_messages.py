"""What is on the wire: an example of every message, read and written again without a change."""

import json
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from shared.errors import PermanentError
from shared.messages.codec import REASON_UNREADABLE, decode, encode
from shared.messages.connection_changed import Connection
from shared.messages.model import Message
from shared.messages.scan_progressed import Progress, ScanProgressed
from shared.messages.topics import CHAIN, CONNECTION_CHANGED, DELIVERY_REQUESTED, TRIGGER_WANTED

EXAMPLES: Final = sorted(Path(__file__).with_name("examples").glob("*.json"))
"""Named `<topic>.json` or `<topic>.<which>.json`."""

MODELS: Final[dict[str, type[Message]]] = {
    **{topic.name: topic.message for topic in CHAIN},
    CONNECTION_CHANGED.name: Connection,
    **{topic.name: topic.message for topic in (TRIGGER_WANTED, DELIVERY_REQUESTED)},
}

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)


def _model(example: Path) -> type[Message]:
    return MODELS[".".join(example.stem.split(".")[:2])]


def _read(example: Path, document: Any) -> Message:
    return decode(_model(example), json.dumps(document).encode(), offset=7)


def test_every_topic_has_an_example() -> None:
    assert {_model(example) for example in EXAMPLES} == set(MODELS.values())


def test_every_step_of_a_scan_has_an_example() -> None:
    steps = {
        decode(ScanProgressed, example.read_bytes(), offset=0).progress.__class__
        for example in EXAMPLES
        if _model(example) is ScanProgressed
    }
    assert steps == set(get_args(get_args(Progress)[0]))


@every_example
def test_an_example_comes_back_as_it_was(example: Path) -> None:
    document = json.loads(example.read_bytes())
    assert json.loads(encode(_read(example, document))) == document


@every_example
def test_a_field_of_a_later_release_breaks_nothing_and_is_kept_out(example: Path) -> None:
    document = json.loads(example.read_bytes())
    assert _read(example, _with_unknown_fields(document)) == _read(example, document)


def _with_unknown_fields(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_unknown_fields(each) for name, each in value.items()} | {"from_a_later_release": [1]}
    return [_with_unknown_fields(each) for each in value] if isinstance(value, list) else value


@every_example
def test_a_message_tells_its_version_and_another_version_is_refused(example: Path) -> None:
    document = json.loads(example.read_bytes())
    assert document["version"] == 1
    with pytest.raises(PermanentError, match="version") as refused:
        _read(example, document | {"version": 2})
    assert refused.value.reason == REASON_UNREADABLE


@every_example
def test_a_message_without_one_of_its_parts_is_refused_by_name(example: Path) -> None:
    document = json.loads(example.read_bytes())
    required = [name for name, each in _model(example).model_fields.items() if each.is_required()]
    assert required
    for field in required:
        with pytest.raises(PermanentError, match=field):
            _read(example, {name: value for name, value in document.items() if name != field})
