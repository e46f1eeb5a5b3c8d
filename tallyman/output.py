"""Rows as a person or a program wants them: a table, JSON lines, CSV."""

import csv
import json
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TextIO
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

_TABLE_ROWS: Final = 10_000
"""A table is laid out whole; more rows than this are for jsonl or csv."""

_PIPE_WIDTH: Final = 1000


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


def plain(value: Any) -> Any:
    """Return a value of the store as JSON has it: times in ISO 8601, tuples as lists, bytes as hex."""
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case bytes():
            return value.hex()
        case list() | tuple() | set():
            return [plain(item) for item in value]
        case Decimal() | UUID():
            return str(value)
        case str() | int() | float() | bool() | None:
            return value
    return str(value)


async def each(rows: Iterable[Sequence[Any]]) -> AsyncIterator[Sequence[Any]]:
    """Yield rows that are there already."""
    for row in rows:
        yield row


async def print_rows(
    form: Format, columns: Sequence[str], rows: AsyncIterator[Sequence[Any]], out: TextIO | None = None
) -> int:
    """Print rows as they come and return how many there were. A table on a terminal is cut to its width."""
    out = out or sys.stdout
    match form:
        case Format.JSONL:
            return await _print_jsonl(columns, rows, out)
        case Format.CSV:
            return await _print_csv(columns, rows, out)
    return await _print_table(columns, rows, out)


async def _print_jsonl(columns: Sequence[str], rows: AsyncIterator[Sequence[Any]], out: TextIO) -> int:
    count = 0
    async for row in rows:
        out.write(json.dumps(dict(zip(columns, map(plain, row), strict=True)), ensure_ascii=False) + "\n")
        count += 1
    return count


async def _print_csv(columns: Sequence[str], rows: AsyncIterator[Sequence[Any]], out: TextIO) -> int:
    writer, count = csv.writer(out, lineterminator="\n"), 0
    writer.writerow(columns)
    async for row in rows:
        writer.writerow([_cell(value) for value in row])
        count += 1
    return count


async def _print_table(columns: Sequence[str], rows: AsyncIterator[Sequence[Any]], out: TextIO) -> int:
    table, count = Table(box=None, pad_edge=False, header_style="bold"), 0
    for column in columns:
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    async for row in rows:
        if count < _TABLE_ROWS:
            table.add_row(*(Text(_short(_cell(value))) for value in row))
        count += 1
    console = Console(file=out, width=None if out.isatty() else _PIPE_WIDTH)
    console.print(table)
    left_out = f", {count - _TABLE_ROWS} not shown: use --format jsonl" if count > _TABLE_ROWS else ""
    Console(stderr=True, highlight=False).print(f"{count} {'row' if count == 1 else 'rows'}{left_out}")
    return count


def _cell(value: Any) -> str:
    """Return a value as one cell: lists joined, platforms as os/architecture/variant, nothing for null."""
    match value:
        case None:
            return ""
        case Mapping():
            return "/".join(str(part) for part in value.values() if part)
        case tuple() | list() if value and isinstance(value[0], Mapping | tuple | list):
            return ", ".join(_cell(part) for part in value)
        case tuple():
            return "/".join(str(part) for part in value if part)
        case list():
            return ", ".join(str(part) for part in value)
    return str(plain(value))


def _short(cell: str) -> str:
    """Return a digest as people quote it, any other cell as it is."""
    return cell[:19] if cell.startswith("sha256:") and len(cell) == 71 else cell
