"""Records in, connections out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connections.records import Recorded, read_record, record_key
from shared.errors import PermanentError
from shared.messages.codec import encode
from tests.unit.connections.samples import NOTHING, a_connection, holding


def test_a_connection_is_read_as_it_was_written() -> None:
    connection = a_connection(ca="-----BEGIN CERTIFICATE-----", include=("a/*",))
    assert read_record(record_key("registry1"), encode(connection), 7) == Recorded(7, "registry1", connection)


def test_a_record_without_value_says_that_the_connection_was_deleted() -> None:
    assert read_record(b"connection/registry1", None, 3) == Recorded(3, "registry1", None)


@pytest.mark.parametrize("key", [None, b"", b"console-password/admin", b"connections"])
def test_records_of_other_kinds_are_passed_over(key: bytes | None) -> None:
    assert read_record(key, b"whatever", 0) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"connection/", b"{}"),
        (b"connection/../../x", None),
        (b"connection/registry1", b"{"),
        (b"connection/registry1", b'{"version": 2}'),
        (b"connection/registry2", encode(a_connection("registry1"))),
    ],
)
def test_a_connections_record_that_cannot_be_read_is_told_apart(key: bytes, value: bytes | None) -> None:
    with pytest.raises(PermanentError) as caught:
        read_record(key, value, 0)
    assert caught.value.reason == "message_unreadable"


@given(st.binary(), st.none() | st.binary())
def test_any_bytes_give_a_record_or_a_clear_error(tail: bytes, value: bytes | None) -> None:
    try:
        recorded = read_record(b"connection/" + tail, value, 0)
    except PermanentError as error:
        told = error.reason
    else:
        told = recorded.registry if recorded else ""
    assert told in ("message_unreadable", tail.decode(errors="replace"))


def test_a_snapshot_keeps_the_newest_record_of_each_registry() -> None:
    newer, older = a_connection(page_size=2), a_connection(page_size=1)
    snapshot = NOTHING.after([Recorded(5, "registry1", newer), Recorded(4, "registry1", older)])
    assert snapshot.present() == ((newer, 5),)


def test_a_snapshot_tells_what_came_past_an_offset_tombstones_included() -> None:
    snapshot = holding(a_connection("registry1"), a_connection("registry2")).after([Recorded(8, "registry1", None)])
    assert [(r.offset, r.registry, r.connection is None) for r in snapshot.since(0)] == [
        (1, "registry2", False),
        (8, "registry1", True),
    ]
    assert snapshot.connection("registry1") is None
    assert snapshot.since(8) == ()
