"""An event as a program and as a person reads it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tallyman.commands.events import event_of, line_of

OLD, NEW = ("sha256:" + letter * 64 for letter in "ab")


def event(kind: str, subject: str, **data: Any) -> dict[str, Any]:
    return {
        "type": f"dev.tallyman.{kind}",
        "subject": subject,
        "time": "2024-05-06T07:08:09.123Z",
        "data": {"registry": "shop", **data},
    }


def test_headers_become_attributes_and_the_value_becomes_the_data() -> None:
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"7"), ("content-type", b"application/json"), ("other", b"x")]
    record: Any = SimpleNamespace(headers=headers, value=json.dumps({"tag": "größe"}).encode())
    assert event_of(record) == {
        "specversion": "1.0",
        "id": "7",
        "datacontenttype": "application/json",
        "data": {"tag": "größe"},
    }


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            event("image.discovered", "a/b@" + NEW, platform={"os": "linux", "architecture": "arm64"}),
            f"image.discovered   shop  a/b@{NEW}  linux/arm64",
        ),
        (
            event("tag.moved", "a/b:1.0", **{"from": OLD, "to": NEW}),
            f"tag.moved          shop  a/b:1.0  {OLD[:19]} → {NEW[:19]}",
        ),
        (
            event("tag.created", "a/b:1.0", **{"from": None, "to": NEW}),
            f"tag.created        shop  a/b:1.0  (none) → {NEW[:19]}",
        ),
        (event("scan.completed", "scan/3", status="partial"), "scan.completed     shop  scan/3  partial"),
    ],
)
def test_a_line_tells_when_what_where_and_what_became_of_it(told: dict[str, Any], line: str) -> None:
    assert line_of(told) == "2024-05-06 07:08:09  " + line
