"""The read-only door on the real engines: what it lets through, and that the engines' functions are all judged."""

from pathlib import Path

import pytest

from shared.store import NotReadOnly, Store, StoreError
from shared.store.read_only import HARMLESS_TABLE_FUNCTIONS, REFUSED_FUNCTIONS
from tests.support.store_rows import Rows, digest


async def answered(store: Store, sql: str) -> list[tuple[object, ...]]:
    """All rows of an answer."""
    async with store.select(sql) as selection:
        return [row async for row in selection.rows]


async def test_an_answer_has_columns_types_and_rows(store: Store, rows: Rows) -> None:
    await store.insert([rows.image("x")])
    await store.insert([rows.tag("latest", "x")])
    async with store.select(
        f"SELECT registry, digest, platforms FROM current_tags WHERE registry = '{rows.registry}'; -- that is all"
    ) as selection:
        assert selection.columns == ("registry", "digest", "platforms")
        assert selection.types[0] == "String"
        platform = {"os": "linux", "architecture": "amd64", "variant": "", "os_version": ""}
        assert [row async for row in selection.rows] == [(rows.registry, digest("x"), [platform])]


async def test_an_answer_may_be_long_and_need_not_be_read_to_its_end(store: Store) -> None:
    async with store.select("SELECT number FROM numbers(300000)") as selection:
        assert sum([1 async for _ in selection.rows]) == 300_000
    async with store.select("SELECT number FROM numbers(1000000000000)") as selection:
        assert await anext(selection.rows) == (0,)
    assert await answered(store, "SELECT 1") == [(1,)]


async def test_an_answer_without_rows_has_columns(store: Store) -> None:
    async with store.select("SELECT tag FROM current_tags LIMIT 0") as selection:
        assert selection.columns == ("tag",)
        assert [row async for row in selection.rows] == []
    assert await answered(store, "SELECT tag FROM current_tags WHERE registry = 'none'") == []


async def test_parameters_are_values_and_nothing_else(store: Store) -> None:
    async with store.select("SELECT {name:String} AS name", {"name": "'; DROP"}) as selection:
        assert [row async for row in selection.rows] == [("'; DROP",)]


@pytest.mark.parametrize("sql", ["SHOW TABLES", "DESCRIBE current_tags", "EXPLAIN SELECT 1", "SHOW CREATE VIEW scans"])
async def test_questions_about_the_store_are_answered(store: Store, sql: str) -> None:
    assert await answered(store, sql)


async def test_a_wrong_query_is_told_in_a_sentence(store: Store) -> None:
    with pytest.raises(StoreError, match=r"refused a statement: .*nothing_of_this_name"):
        await answered(store, "SELECT * FROM nothing_of_this_name")
    with pytest.raises(StoreError, match="refused a statement: "):
        await answered(store, "SELECT throwIf(number = 200000, 'midway') FROM numbers(300000)")
    assert await answered(store, "SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO tags (registry) VALUES ('x')",
        "DROP TABLE tags",
        "CREATE TABLE x (a UInt8) ENGINE = Memory",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1; SELECT 2",
    ],
)
async def test_what_writes_is_refused_before_it_is_sent(store: Store, sql: str) -> None:
    with pytest.raises(NotReadOnly):
        await answered(store, sql)


async def test_no_file_is_written_and_none_is_read(store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\n")
    out = tmp_path / "out.csv"
    with pytest.raises(NotReadOnly, match="INTO writes"):
        await answered(store, f"SELECT 1 INTO OUTFILE '{out}'")
    assert not out.exists()
    for table in (f"file('{secret}')", f"default.`{secret}`", f'"default"."{secret}"'):
        with pytest.raises(NotReadOnly):
            await answered(store, f"SELECT * FROM {table}")
    for table in (f"'{secret}'", f"`{secret}`", f'"{secret}"', f"`file://{secret}`"):
        with pytest.raises(StoreError):
            await answered(store, f"SELECT * FROM {table}")


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO tags (registry) VALUES ('x')",
        "CREATE TABLE x (a UInt8) ENGINE = Memory",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
        "SELECT * FROM file('x.csv', 'CSV', 'a String')",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
async def test_the_engine_would_refuse_it_too(store: Store, sql: str) -> None:
    with pytest.raises(StoreError, match=r"READONLY|readonly|ACCESS_DENIED"):
        async with store._engine.select(sql, streamed=False) as selection:  # past the check, on purpose
            [row async for row in selection.rows]


async def test_every_table_function_of_the_engine_is_judged(store: Store) -> None:
    found = await store.query("SELECT lower(name) AS name FROM system.table_functions")
    assert {row["name"] for row in found} - HARMLESS_TABLE_FUNCTIONS - REFUSED_FUNCTIONS == set()
    assert not HARMLESS_TABLE_FUNCTIONS & REFUSED_FUNCTIONS
