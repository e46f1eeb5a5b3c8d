"""The AsyncAPI document is one, as its makers' own schema says."""

import json
from typing import Final

import jsonschema_rs

from shared.messages.documents import asyncapi
from tests.support.npm import npm_file

_PACKAGE: Final = ("@asyncapi/specs", "6.8.1", "schemas/3.0.0-without-$id.json")


def test_the_asyncapi_document_is_one() -> None:
    schema = json.loads(npm_file(*_PACKAGE).read_text("utf-8"))
    assert [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(asyncapi())] == []
    broken = {**asyncapi(), "channels": {"image.events": {"messages": 7}}}
    assert list(jsonschema_rs.validator_for(schema).iter_errors(broken)), "the schema refuses nothing"
