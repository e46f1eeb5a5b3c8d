"""What bytes that are no message still tell."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages.model import ScanContext
from shared.pipeline.salvage import salvage

CONTEXT = ScanContext(registry="abcdefgh", scan=5, connection=1, slot=0, shards=1, partitions=4)


def _bytes(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_the_scan_and_the_repository_are_read_from_what_is_otherwise_wrong() -> None:
    value = _bytes(version=99, context=CONTEXT.model_dump(mode="json"), repository="team/app", tags="nonsense")
    assert salvage(value) == (CONTEXT, "team/app")


@pytest.mark.parametrize("repository", [None, "", 7, ["a"], "a\x00b", "x" * 2000])
def test_a_repository_that_is_no_name_is_left_out(repository: object) -> None:
    assert salvage(_bytes(context=CONTEXT.model_dump(mode="json"), repository=repository)) == (CONTEXT, None)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"context": null}',
        b'{"context": {"registry": "abcdefgh"}}',
        b'{"context":' * 100_000,
        b"\xff\xfe",
        b"9" * 10_000,
    ],
)
def test_without_a_readable_scan_there_is_nothing(value: bytes | None) -> None:
    assert salvage(value) is None


@given(st.binary())
def test_any_bytes_are_borne(value: bytes) -> None:
    assert salvage(value) is None
