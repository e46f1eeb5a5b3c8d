"""Migrations on a real server: once each, by one at a time, whatever crashes."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import pytest

from shared.store import Store, StoreError
from shared.store.engine import Engine
from shared.store.migrate import Migration, migrate, shipped
from shared.store.schema_lock import NoLock, SchemaLock
from shared.store.server import Server
from shared.store.statements import split
from tests.support.clickhouse import ClickHouse


@pytest.fixture
async def database(clickhouse_server: ClickHouse, server_store: Store) -> str:
    """An empty database of this test's own."""
    name = f"test_{secrets.token_hex(6)}"
    await server_store._engine.command(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
async def engine(clickhouse_server: ClickHouse, database: str) -> AsyncIterator[Engine]:
    """An engine in that database."""
    engine = Engine(Server(clickhouse_server.settings(database)))
    yield engine
    await engine.close()


async def tables(engine: Engine) -> set[str]:
    """The names of the tables and views there are."""
    return {name for (name,) in (await engine.query("SHOW TABLES")).rows}


async def test_two_processes_migrate_at_once_and_each_migration_is_applied_by_one(
    clickhouse_server: ClickHouse, database: str, engine: Engine
) -> None:
    stores = [await Store.open(clickhouse_server.settings(database)) for _ in range(3)]
    applied = await asyncio.gather(*(store.migrate() for store in stores))
    names = tuple(migration.name for migration in shipped())
    assert sorted(name for some in applied for name in some) == sorted(names)
    assert [await store.migrate() for store in stores] == [(), (), ()]
    assert {"images", "current_images", "scans"} <= await tables(engine)
    assert not [name for name in await tables(engine) if name.startswith("schema_lock")]
    for store in stores:
        await store.close()


async def test_a_crash_midway_is_gone_over_again(engine: Engine) -> None:
    await migrate(engine, NoLock(), [])
    for statement in split(shipped()[0].sql):
        await engine.command(statement)
    assert await migrate(engine, NoLock(), shipped()) == tuple(migration.name for migration in shipped())


async def test_the_schema_migrates_again_from_any_number_without_a_change(engine: Engine) -> None:
    await migrate(engine, NoLock(), shipped())
    before = await tables(engine)
    for migration in shipped():
        for statement in split(migration.sql):
            await engine.command(statement)
    assert await tables(engine) == before


async def test_a_failed_migration_lets_the_lock_go_and_is_not_recorded(engine: Engine) -> None:
    wrong = Migration(1, "0001_wrong.sql", "CREATE TABLE a (b UInt8) ENGINE = Memory; SELECT nonsense")
    with pytest.raises(StoreError, match="nonsense"):
        await migrate(engine, SchemaLock(engine), [wrong])
    right = Migration(1, "0001_right.sql", "CREATE TABLE IF NOT EXISTS a (b UInt8) ENGINE = Memory")
    assert await migrate(engine, SchemaLock(engine), [right]) == ("0001_right.sql",)


async def test_a_store_of_a_newer_version_is_refused(engine: Engine) -> None:
    newer = Migration(9999, "9999_newer.sql", "SELECT 1")
    await migrate(engine, NoLock(), [*shipped(), newer])
    with pytest.raises(StoreError, match="newer version"):
        await migrate(engine, NoLock(), shipped())


async def test_who_comes_second_waits_for_the_lock(engine: Engine) -> None:
    order: list[str] = []
    taken = asyncio.Event()

    async def first() -> None:
        async with SchemaLock(engine):
            taken.set()
            await engine.query("SELECT sleep(0.3)")
            order.append("first")

    async def second() -> None:
        await taken.wait()
        async with SchemaLock(engine):
            order.append("second")

    await asyncio.gather(first(), second())
    assert order == ["first", "second"]


async def test_the_lock_of_a_dead_process_is_taken_over_by_one(engine: Engine) -> None:
    dead = SchemaLock(engine)
    await dead.__aenter__()
    await engine.query("SELECT sleep(2)")
    holders = 0

    async def take_over() -> None:
        nonlocal holders
        async with SchemaLock(engine, stale_seconds=1) as held:
            holders += 1
            assert holders == 1
            await held.still_held()
            holders -= 1

    started = time.monotonic()
    await asyncio.gather(*(take_over() for _ in range(3)))
    assert time.monotonic() - started < 30
    with pytest.raises(StoreError, match="took the schema's lock"):
        await dead.still_held()
    await dead.__aexit__()


async def test_a_late_process_cannot_take_a_lock_made_since(engine: Engine) -> None:
    dead, late = SchemaLock(engine), SchemaLock(engine, stale_seconds=0)
    await dead.__aenter__()
    ((stale,),) = (
        await engine.query(
            "SELECT toString(uuid) FROM system.tables WHERE name = 'schema_lock' AND database = currentDatabase()"
        )
    ).rows
    await engine.command(f"RENAME TABLE schema_lock TO schema_lock_stale_{stale.replace('-', '')}")
    async with SchemaLock(engine) as held:
        # What `late` does after it had seen the dead one's table as stale:
        renamed = await late._done(f"RENAME TABLE schema_lock TO schema_lock_stale_{stale.replace('-', '')}", 57, 60)
        assert not renamed
        await held.still_held()


async def test_a_lock_whose_age_the_server_does_not_tell_is_nobodys_to_take(server_store: Store) -> None:
    """The default database of this server tells no table's age; 0 is no age."""
    mine, other = (SchemaLock(server_store._engine) for _ in range(2))
    async with mine as held:
        await other._remove_stale()
        await held.still_held()
        assert await held._mine()
