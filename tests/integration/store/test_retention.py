"""History expires as the settings say; what is present now, and what is needed to judge it, does not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from shared.settings import Settings
from shared.store import Store
from tests.support.clickhouse import ClickHouse, own_database
from tests.support.store_rows import NOW, Rows

OLD = NOW - timedelta(days=40)


@pytest_asyncio.fixture
async def own_store(server_store: Store, clickhouse_server: ClickHouse, registry_id: str) -> AsyncIterator[Store]:
    """A store in a database of its own: a TTL is of a whole table."""
    async with own_database(clickhouse_server, server_store, f"kept_{registry_id}") as store:
        yield store


def days(number: int) -> Settings:
    return Settings().model_copy(update={"history_days": number})


async def kept(store: Store, table: str) -> int:
    await store._engine.command(f"OPTIMIZE TABLE {table} FINAL")
    (row,) = await store.query(f"SELECT count() AS rows FROM {table}")
    return int(row["rows"])


async def test_history_expires_and_the_present_does_not(own_store: Store, rows: Rows) -> None:
    store = own_store
    await store.keep(days(30))
    await store.insert(
        [rows.image("x", changed_at=OLD, first_seen=OLD), rows.image("y", present=False, changed_at=OLD)]
    )
    await store.insert([rows.tag("a", "x", changed_at=OLD)])
    await store.insert([rows.listing(listed_at=OLD, decided_at=OLD)])
    await store.insert([replace(rows.move("a", "x", None, 1), moved_at=OLD), rows.move("b", "x", None, 2)])
    started = rows.unit("started", at=OLD, kind="full")
    ended = rows.unit("ended", at=OLD, reason="complete", kind="full")
    await store.insert([started, rows.unit("stored", "app", at=OLD), ended, rows.unit("started", scan=2)])

    assert await kept(store, "tag_history") == 1
    assert await kept(store, "scan_units") == 2
    assert [await kept(store, table) for table in ("images", "tags", "repositories")] == [2, 1, 1]
    assert await store.first_load(rows.registry) == 1
    assert [row["scan_id"] for row in await store.query("SELECT scan_id FROM scans")] == [2]
    (present,) = await store.query("SELECT tag, held_from, held_to FROM image_history WHERE tag = 'a'")
    assert (present["held_from"], present["held_to"]) == (OLD, None)


@pytest.mark.parametrize("steps", [(30, 90), (30, 0), (0, 7), (0, 0)])
async def test_the_setting_of_the_last_start_holds(own_store: Store, steps: tuple[int, int]) -> None:
    for number in steps:
        await own_store.keep(days(number))
        for table in ("tag_history", "scan_units"):
            (made,) = await own_store.query(
                "SELECT create_table_query AS sql FROM system.tables WHERE database = currentDatabase() "
                "AND name = {table:String}",
                {"table": table},
            )
            assert ("TTL" in made["sql"]) == bool(number)
            assert (f"toIntervalDay({number})" in made["sql"]) == bool(number)
