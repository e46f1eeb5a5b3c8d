"""An event as a program and as a person reads it."""

from typing import Any

import pytest

from tallyman.commands.events import is_kind, is_of, line_of

OLD, NEW = ("sha256:" + letter * 64 for letter in "ab")


def event(kind: str, subject: str, **data: Any) -> dict[str, Any]:
    return {
        "type": f"dev.tallyman.{kind}",
        "subject": subject,
        "time": "2024-05-06T07:08:09.123Z",
        "data": {"registry": "shop", **data},
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
        (
            event("connection.status_changed", "connection/r", **{"from": "ok", "to": "failed", "told": "No answer."}),
            "connection.status_changed  shop  connection/r  ok → failed: No answer.",
        ),
    ],
)
def test_a_line_tells_when_what_where_and_what_became_of_it(told: dict[str, Any], line: str) -> None:
    assert line_of(told) == "2024-05-06 07:08:09  " + line


@pytest.mark.parametrize(
    ("kinds", "is_wanted"),
    [
        (["tag.moved"], True),
        (["dev.tallyman.tag.moved"], True),
        (["tag"], True),
        (["scan", "tag"], True),
        (["tag.created"], False),
        (["image"], False),
        (["ta"], False),
    ],
)
def test_events_are_chosen_by_type_or_by_what_they_are_about(kinds: list[str], is_wanted: bool) -> None:
    assert is_of(event("tag.moved", "a:1"), kinds) is is_wanted


def test_a_type_that_no_event_has_is_known_beforehand() -> None:
    assert [kind for kind in ("tag", "tag.moved", "connection", "tags", "tag.", "") if is_kind(kind)] == [
        *("tag", "tag.moved", "connection"),
    ]
