"""Rows made into columns, and back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages.model import Failure
from shared.oci.digest import Digest
from shared.store import rows
from shared.store.columns import columns_of, decode, encode, names_of
from shared.store.rows import ConfigRow, ImageRow, ScanUnitRow, TagMoveRow

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CLASSES = [found for found in vars(rows).values() if isinstance(found, type) and hasattr(found, "TABLE")]


def image(**changes: object) -> ImageRow:
    fields: dict[str, object] = {
        "registry": "r",
        "repository": "a/b",
        "digest": Digest.of(b"x"),
        "present": True,
        "kind": "image",
        "media_type": "m",
        "artifact_type": "",
        "os": "linux",
        "architecture": "amd64",
        "variant": "",
        "os_version": "",
        "size_bytes": 1,
        "created": NOW,
        "config": None,
        "first_seen": NOW,
        "changed_at": NOW,
        "version": 1,
    }
    return ImageRow(**{**fields, **changes})  # type: ignore[arg-type]


def column(row: rows.Row, name: str) -> object:
    """The value the store takes for one column of a row."""
    place = [column.name for column in columns_of(type(row))].index(name)
    return encode([row])[place][0]


@pytest.mark.parametrize("row", CLASSES)
def test_every_field_of_every_row_has_a_way_to_the_store_and_back(row: type[rows.Row]) -> None:
    assert [f"`{column.name}`" for column in columns_of(row)] == names_of(row).split(", ")
    assert decode(row, []) == []


def test_a_digest_is_its_bytes_and_none_is_zeros() -> None:
    move = TagMoveRow("r", "a", "t", 1, NOW, None, Digest.of(b"x"))
    assert column(move, "digest") == bytes(32)
    assert column(move, "previous") == Digest.of(b"x").raw


@pytest.mark.parametrize(
    ("created", "stored"),
    [
        (NOW, NOW),
        (None, None),
        (datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
        (datetime(1, 1, 1, tzinfo=UTC), None),
        (datetime(9999, 1, 1, tzinfo=UTC), None),
    ],
)
def test_a_date_the_store_cannot_hold_is_not_known(created: datetime | None, stored: datetime | None) -> None:
    assert column(image(created=created), "created") == stored


@pytest.mark.parametrize(("size", "stored"), [(0, 0), (2**63 - 1, 2**63 - 1), (2**63, None), (-1, None), (None, None)])
def test_a_size_the_store_cannot_hold_is_not_known(size: int | None, stored: int | None) -> None:
    assert column(image(size_bytes=size), "size_bytes") == stored


@given(st.lists(st.tuples(st.text(), st.binary(min_size=32, max_size=32)), max_size=5))
def test_rows_come_back_as_they_went(told: list[tuple[str, bytes]]) -> None:
    went = [ConfigRow("r", Digest.from_raw(raw), text, "amd64", "", "", NOW) for text, raw in told]
    stored = zip(*encode(went), strict=True) if went else []
    assert decode(ConfigRow, list(stored)) == went


def test_failures_go_as_tuples_and_come_back_from_what_the_driver_makes_of_them() -> None:
    failure = Failure(what="latest", reason="forbidden", detail="Sign in.")
    row = ScanUnitRow(registry="r", scan=1, repository="a", state="failed", offset=2, failures=(failure,), at=NOW)
    assert column(row, "failures") == [("latest", "forbidden", "Sign in.")]
    stored = [values[0] for values in encode([row])]
    stored[[column.name for column in columns_of(ScanUnitRow)].index("failures")] = [
        {"what": "latest", "reason": "forbidden", "detail": "Sign in."}
    ]
    assert decode(ScanUnitRow, [stored]) == [row]
