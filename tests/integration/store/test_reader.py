"""The user that may read the public views and nothing else."""

import hashlib
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from shared.errors import SettingsError
from shared.settings import Settings
from shared.store import Store
from shared.store.errors import StoreError
from shared.store.reader import keep_reader, public_views, reader_statements
from tests.support.clickhouse import PASSWORD, READER, READER_DATABASE, ClickHouse, own_database
from tests.support.store_rows import Rows

SECRET = "a secret of the reader"


@pytest_asyncio.fixture(scope="module")
async def owner(server_store: Store, clickhouse_server: ClickHouse) -> AsyncIterator[Store]:
    """The store of a database in which the declared reader has its rights."""
    async with own_database(clickhouse_server, server_store, READER_DATABASE) as store:
        yield store


@pytest_asyncio.fixture(scope="module")
async def reader(owner: Store, clickhouse_server: ClickHouse) -> AsyncIterator[Store]:
    """The same, as its reader sees it: what can be done here of the statements was done, the rest was declared."""
    for statement in reader_statements(READER, PASSWORD, READER_DATABASE, await public_views(owner._engine)):
        if statement.startswith("ALTER TABLE"):
            await owner._engine.command(statement)
    settings = clickhouse_server.settings(
        READER_DATABASE, clickhouse_username=READER, clickhouse_password=SecretStr(PASSWORD)
    )
    store = await Store.open(settings)
    try:
        yield store
    finally:
        await store.close()


async def test_the_reader_reads_every_public_view(owner: Store, reader: Store, rows: Rows) -> None:
    await owner.insert([rows.image("x")])
    await owner.insert([rows.tag("a", "x")])
    for view in await public_views(owner._engine):
        await reader.query(f"SELECT * FROM {view} LIMIT 1")
    (seen,) = await reader.query(
        "SELECT tags FROM current_images WHERE registry = {registry:String}", {"registry": rows.registry}
    )
    assert seen["tags"] == ["a"]


@pytest.mark.parametrize(
    "statement",
    [
        *("SELECT * FROM images", "SELECT * FROM outbox", "SELECT * FROM registries", "SELECT * FROM tag_reach"),
        "INSERT INTO images (registry) VALUES ('x')",
        *("CREATE TABLE mine (a Int8) ENGINE = Memory", "DROP VIEW current_images", "TRUNCATE TABLE images"),
        "SELECT * FROM url('http://127.0.0.1:1', 'CSV', 'a String')",
        *("SELECT * FROM file('x.csv')", "SHOW CREATE USER default", "CREATE USER another"),
    ],
)
async def test_the_reader_does_nothing_else(reader: Store, statement: str) -> None:
    with pytest.raises(StoreError, match="Not enough privileges"):
        await reader._engine.query(statement)


async def test_every_statement_is_one_of_the_servers_language(server_store: Store) -> None:
    """Not every form of the server keeps users that SQL makes; whether it reads the statements shows in all of them."""
    for statement in reader_statements("some_reader", SECRET, "default", ["current_images"]):
        await server_store._engine.command(f"EXPLAIN AST {statement}")
        with pytest.raises(StoreError, match="Syntax error"):
            await server_store._engine.command(f"EXPLAIN AST {statement} AND MORE")


async def test_a_server_that_lets_us_make_no_user_is_told_of_with_what_to_do(
    reader: Store, clickhouse_server: ClickHouse
) -> None:
    settings: Settings = clickhouse_server.settings(reader_password=SecretStr(SECRET))
    with pytest.raises(SettingsError, match=r"TALLYMAN_READER_PASSWORD: .* manage access") as refused:
        await keep_reader(reader._engine, settings)
    assert SECRET not in str(refused.value)


def test_no_statement_holds_the_password() -> None:
    statements = reader_statements("some_reader", SECRET, "default", ["current_images"])
    (made,) = [statement for statement in statements if statement.startswith("CREATE USER")]
    assert SECRET not in " ".join(statements)
    hashed, salt = re.findall(r"'([0-9a-f]+)'", made)
    assert hashed == hashlib.sha256((SECRET + salt).encode()).hexdigest()
