"""The schema, brought up to date: numbered SQL files, each applied once, in order, by one process at a time."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Protocol

from shared.store.engine import Engine
from shared.store.errors import StoreError
from shared.store.statements import split

_FILE: Final = re.compile(r"(\d{4})_\w+\.sql")
_CREATE_LEDGER: Final = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        number UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
    ) ENGINE = ReplacingMergeTree ORDER BY number
"""


class Lock(Protocol):
    """Held while migrating. still_held: raises StoreError once it was lost to another process."""

    async def still_held(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. Its statements can be run again: a crash may come between the last one and the ledger."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped() -> list[Migration]:
    """Return the migrations this version comes with, in order."""
    folder = files("shared.store") / "migrations"
    found = [(_FILE.fullmatch(file.name), file) for file in folder.iterdir()]
    return sorted(
        (Migration(int(match[1]), match[0], file.read_text("utf-8")) for match, file in found if match),
        key=lambda migration: migration.number,
    )


def pending(migrations: Iterable[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """Return those not applied yet. applied: number → checksum.

    Raises StoreError if the store has one that is not ours, or ours has changed since it was applied.
    """
    known = {migration.number: migration for migration in migrations}
    for number, checksum in sorted(applied.items()):
        if number not in known:
            raise StoreError(
                f"The store's schema has migration {number:04}, which this version of Tallyman does not know: "
                "it is of a newer version; run that one."
            )
        if known[number].checksum != checksum:
            raise StoreError(
                f"Migration {known[number].name} is not the one that was applied to this store: its text has changed. "
                "Put the file back as it was, and add a new one for what should change."
            )
    return [migration for number, migration in sorted(known.items()) if number not in applied]


async def migrate(
    engine: Engine, lock: AbstractAsyncContextManager[Lock], migrations: list[Migration]
) -> tuple[str, ...]:
    """Apply what is pending; return the names of what was applied now.

    Looks first without the lock: at most starts nothing is pending, and nobody waits.
    """
    await engine.command(_CREATE_LEDGER)
    if not pending(migrations, await _applied(engine)):
        return ()
    async with lock as held:
        todo = pending(migrations, await _applied(engine))
        for migration in todo:
            for statement in split(migration.sql):
                await held.still_held()
                await engine.command(statement)
            await engine.insert(
                "schema_migrations",
                ("number", "name", "checksum"),
                [[migration.number], [migration.name], [migration.checksum]],
            )
    return tuple(migration.name for migration in todo)


async def _applied(engine: Engine) -> dict[int, str]:
    return dict((await engine.query("SELECT number, checksum FROM schema_migrations FINAL")).rows)
