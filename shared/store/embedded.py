"""The embedded engine: ClickHouse in this process, its data in a folder that is ours alone while it is open."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ProgrammingError

from shared.store.engine import Setting
from shared.store.engine_output import written_to
from shared.store.errors import StoreError
from shared.store.keys import FORMAT, KEYS, Keys

# Not `default`: the embedded engine's database of that name shows the machine's files as tables.
DATABASE: Final = "tallyman"

_KEYS_IN_QUERY: Final = 1_000
_QUERY_BYTES: Final = 4_000_000
"""A thousand keys of the longest names stay below it."""


class Embedded:
    """The way in. One process has one folder open, and one only; its clients share the engine."""

    def __init__(self, folder: Path) -> None:
        self.where: Final = f"The embedded store in {folder}"
        self.threads: Final = 4
        self._folder: Final = folder
        self._log: Final = folder / "engine.log"
        _leave_standard_input()
        folder.mkdir(parents=True, exist_ok=True)
        # What it writes is for its makers: where it finds no cgroup file, thirty lines of C++ stack.
        with self._errors(), written_to(self._log), self._open() as client:
            client.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")

    def connect(self, settings: Mapping[str, Setting]) -> Client:
        with self._errors():
            return self._open(database=DATABASE, settings={"max_query_size": _QUERY_BYTES, **settings})

    def _open(self, **options: Any) -> Client:
        return clickhouse_connect.get_client(interface="chdb", path=str(self._folder), tz_mode="aware", **options)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise StoreError for what keeps the engine from being opened."""
        try:
            yield
        except (ProgrammingError, OSError) as error:
            raise StoreError(
                f"{self.where} cannot be opened. Most likely another Tallyman process has it open: stop that one, "
                f"or choose another data folder. Else see that the folder can be written, and what the engine wrote in "
                f"{self._log}."
            ) from error

    @contextmanager
    def with_keys(self, client: Client, keys: Keys) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Few keys stand in the query; many in a temporary table, three statements more. No external data here."""
        if len(keys.rows) <= _KEYS_IN_QUERY:
            yield keys.literals(), {}
            return
        client.command(f"CREATE OR REPLACE TEMPORARY TABLE {KEYS} ({', '.join(keys.structure)}) ENGINE = Memory")
        client.raw_insert(KEYS, list(keys.columns), keys.body(), fmt=FORMAT)
        yield keys.selected(), {}
        client.command(f"DROP TEMPORARY TABLE {KEYS}")


def _leave_standard_input() -> None:
    """Put nothing in the place of standard input: the engine takes what lies there for rows of every insert."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if nothing != 0:
        os.close(nothing)
