"""Rows as tables, JSON lines and CSV."""

import io
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tallyman.output import Format, plain, print_rows

DIGEST = "sha256:" + "ab" * 32


async def rows_of(*rows: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
    for row in rows:
        yield row


async def printed(form: Format, columns: Sequence[str], *rows: Sequence[Any]) -> str:
    out = io.StringIO()
    assert await print_rows(form, columns, rows_of(*rows), out) == len(rows)
    return out.getvalue()


@pytest.mark.parametrize(
    ("value", "as_json"),
    [
        (datetime(2024, 1, 2, 3, 4, 5, 678000, UTC), "2024-01-02T03:04:05.678000Z"),
        ((1, "a", None), [1, "a", None]),
        ({"os": "linux", 1: b"\x00\xff"}, {"os": "linux", "1": "00ff"}),
        ([{"a": (1, 2)}], [{"a": [1, 2]}]),
        (Decimal("1.50"), "1.50"),
        (UUID(int=0), "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_values_have_one_form_in_json(value: Any, as_json: Any) -> None:
    assert plain(value) == as_json


async def test_json_lines_are_objects_by_column_and_keep_every_letter() -> None:
    told = await printed(Format.JSONL, ("name", "tags"), ("größe", ["a", "b"]), (None, []))
    assert [json.loads(line) for line in told.splitlines()] == [
        {"name": "größe", "tags": ["a", "b"]},
        {"name": None, "tags": []},
    ]
    assert "größe" in told


async def test_csv_has_a_header_joins_lists_and_quotes_what_needs_it() -> None:
    platforms = [
        {"os": "linux", "architecture": "arm", "variant": "v7", "os_version": ""},
        {"os": "windows", "architecture": "amd64", "variant": "", "os_version": "10.0"},
    ]
    told = await printed(Format.CSV, ("tag", "platforms", "size"), ('a"b', platforms, None))
    assert told == 'tag,platforms,size\n"a""b","linux/arm/v7, windows/amd64/10.0",\n'


async def test_a_table_shortens_digests_and_says_how_many_rows_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    told = await printed(Format.TABLE, ("digest", "tags"), (DIGEST, ["1.0", "2.0"]))
    assert told.splitlines()[1].split() == [DIGEST[:19], "1.0,", "2.0"]
    assert capsys.readouterr().err == "1 row\n"


async def test_a_table_does_not_read_names_as_markup() -> None:
    assert "[bold]x[/bold]" in await printed(Format.TABLE, ("name",), ("[bold]x[/bold]",))


async def test_an_empty_table_has_its_header() -> None:
    assert (await printed(Format.TABLE, ("registry", "tag"))).split() == ["registry", "tag"]
