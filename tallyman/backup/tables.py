"""The store's tables, each a file of lines as ClickHouse writes and reads them (JSONEachRow, digests as raw bytes)."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from shared.store.purge import TABLES
from shared.store.store import Store
from tallyman.backup.manifest import BackupUnusable, Packed
from tallyman.backup.packing import lines_of, packed_into

_ROWS_AT_ONCE: Final = 50_000


def file_of(table: str) -> str:
    return f"{table}.jsonl.gz"


async def write_tables(store: Store, folder: Path, files: dict[str, Packed]) -> None:
    """Write all tables, those first whose rows the others tell of.

    While services work, a table is as of a little later than the one before it. So at worst a move is told twice:
    what the state does not show yet is found again by the next load.
    """
    for table in TABLES:
        with packed_into(folder / file_of(table), files) as file:
            async for piece in store.dump(table):
                file.write(piece)


async def check_empty(store: Store) -> None:
    """Raise BackupUnusable where a table has rows."""
    for table in TABLES:
        if (await store.query(f"SELECT count() AS rows FROM {table}"))[0]["rows"]:
            raise BackupUnusable(
                f"The store has rows already (in {table}). Restore into a database of its own: name an empty one in "
                "TALLYMAN_CLICKHOUSE, or an empty data folder."
            )


async def restore_tables(store: Store, folder: Path) -> int:
    """Put the rows back, and return how many."""
    count = 0
    for table in TABLES:
        for rows, many in _blocks(folder / file_of(table)):
            await store.load(table, rows)
            count += many
    return count


def _blocks(path: Path) -> Iterator[tuple[bytes, int]]:
    lines = lines_of(path)
    while block := list(islice(lines, _ROWS_AT_ONCE)):
        yield b"".join(block), len(block)
