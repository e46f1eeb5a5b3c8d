"""The lock of the schema on a server: a table, since CREATE TABLE is the one thing that only one can do.

A holder that died leaves its table behind. Another renames it away, to a name made of the table's own id: of two
that try, or one that comes late, the second finds that name taken, and so can never remove a lock made since.
All times are the server's, read from its own tables.
"""

import asyncio
import uuid
from typing import Final, Self

from shared.store.engine import Engine
from shared.store.errors import StoreError

STALE_SECONDS: Final = 120
_POLL_SECONDS: Final = 0.25
_TABLE: Final = "schema_lock"
_EXISTS: Final = 57
_UNKNOWN: Final = 60


class SchemaLock:
    """`async with SchemaLock(engine) as held`: waits for whoever has it."""

    def __init__(self, engine: Engine, stale_seconds: float = STALE_SECONDS) -> None:
        self._engine: Final = engine
        self._stale_seconds: Final = stale_seconds
        self._owner: Final = uuid.uuid4().hex

    async def __aenter__(self) -> Self:
        while not await self._done(
            f"CREATE TABLE {_TABLE} (nothing UInt8) ENGINE = Memory COMMENT '{self._owner}'", _EXISTS
        ):
            await self._remove_stale()
            await asyncio.sleep(_POLL_SECONDS)
        return self

    async def still_held(self) -> None:
        """Say that the holder lives. Raises StoreError if the lock was taken for stale meanwhile."""
        if not await self._mine():
            raise StoreError("Another process took the schema's lock, since this one was silent too long. Start again.")
        await self._engine.command(f"ALTER TABLE {_TABLE} MODIFY COMMENT '{self._owner}'")

    async def __aexit__(self, *_: object) -> None:
        if await self._mine():
            await self._done(f"DROP TABLE {_TABLE}", _UNKNOWN)

    async def _mine(self) -> bool:
        found = await self._engine.query(
            "SELECT 1 FROM system.tables WHERE database = currentDatabase() "
            "AND name = {name:String} AND comment = {owner:String}",
            {"name": _TABLE, "owner": self._owner},
        )
        return bool(found.rows)

    async def _remove_stale(self) -> None:
        stale = await self._engine.query(
            "SELECT toString(uuid) FROM system.tables WHERE database = currentDatabase() AND name = {name:String} "
            # 0: this kind of database does not tell, and nobody's lock is taken for stale on that.
            "AND metadata_modification_time BETWEEN 1 AND now() - {seconds:Float64}",
            {"name": _TABLE, "seconds": self._stale_seconds},
        )
        for (table,) in stale.rows:
            await self._done(f"RENAME TABLE {_TABLE} TO {_TABLE}_stale_{table.replace('-', '')}", _EXISTS, _UNKNOWN)

    async def _done(self, statement: str, *expected: int) -> bool:
        """Run a statement; return False if it failed with one of these codes."""
        try:
            await self._engine.command(statement)
        except StoreError as error:
            if error.code not in expected:
                raise
            return False
        return True


class NoLock:
    """Where one process owns the store, nobody else can migrate it."""

    async def __aenter__(self) -> Self:
        return self

    async def still_held(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None
