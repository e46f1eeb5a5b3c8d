"""Opening a store: what keeps us out is told, and with which setting to put it right."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.errors import SettingsError
from shared.settings import Settings
from shared.store import Store, StoreUnavailable
from tests.support.clickhouse import PASSWORD, ClickHouse, running_clickhouse
from tests.support.store_rows import Rows

OPEN_AND_COUNT = """
import asyncio, sys
from pathlib import Path
from shared.settings import Settings
from shared.store import Store

async def main():
    store = await Store.open(Settings().model_copy(update={"data": Path(sys.argv[1])}))
    await store.migrate()
    print(await store.query("SELECT tag, count() AS rows FROM tags GROUP BY tag ORDER BY tag"), flush=True)
    await store.close()

asyncio.run(main())
"""
INSERT_FOR_EVER = """
import asyncio, sys
from pathlib import Path
from shared.settings import Settings
from shared.store import Store
from tests.support.store_rows import Rows

async def main():
    store = await Store.open(Settings().model_copy(update={"data": Path(sys.argv[1])}))
    await store.migrate()
    rows = Rows("abcdefgh")
    for n in range(1_000_000):
        await store.insert([rows.tag(f"batch-{n:06}", m, repository=f"a/{m}") for m in range(500)])
        print(n, flush=True)

asyncio.run(main())
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)


async def test_a_wrong_password_is_told_by_the_settings_to_change(clickhouse_server: ClickHouse) -> None:
    settings = clickhouse_server.settings(clickhouse_password=SecretStr("not it"))
    with pytest.raises(SettingsError, match="TALLYMAN_CLICKHOUSE_PASSWORD") as refused:
        await Store.open(settings)
    assert "not it" not in f"{refused.value} {refused.value.__cause__}"


async def test_a_database_that_does_not_exist_is_told_by_name(clickhouse_server: ClickHouse) -> None:
    with pytest.raises(SettingsError, match="has no database nowhere; create it with CREATE DATABASE nowhere"):
        await Store.open(clickhouse_server.settings("nowhere"))


async def test_a_server_that_is_not_there_is_waited_for(clickhouse_server: ClickHouse) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = clickhouse_server.settings(clickhouse=f"http://127.0.0.1:{port}")
    with pytest.raises(StoreUnavailable, match=f"The store at 127.0.0.1:{port} does not answer") as away:
        await Store.open(settings)
    assert away.value.waits
    assert PASSWORD not in str(away.value)


async def test_a_name_that_does_not_resolve_is_told(clickhouse_server: ClickHouse) -> None:
    with pytest.raises(StoreUnavailable, match=r"clickhouse\.invalid:8123 does not answer"):
        await Store.open(clickhouse_server.settings(clickhouse="http://clickhouse.invalid:8123"))


async def test_a_store_that_goes_away_is_unavailable_until_it_is_back(tmp_path: Path) -> None:
    rows = Rows("abcdefgh")
    with running_clickhouse(tmp_path / "first") as server:
        store = await Store.open(server.settings())
        await store.migrate()
        await store.insert([rows.listing()])
    with pytest.raises(StoreUnavailable):
        await store.insert([rows.listing()])
    with pytest.raises(StoreUnavailable):
        await store.known_repositories(rows.registry)
    await store.close()


@pytest.fixture
def plain_listener() -> Iterator[int]:
    """A port where nothing speaks TLS, nor HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_the_embedded_store_is_refused_to_a_second_process_with_what_to_do(
    embedded_store: Store, embedded_data: Path
) -> None:
    refused = await asyncio.to_thread(python, OPEN_AND_COUNT, str(embedded_data))
    assert refused.returncode != 0
    assert "another Tallyman process has it open: stop that one, or choose another data folder" in refused.stderr


async def test_what_was_acknowledged_is_there_whole_after_a_kill(tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INSERT_FOR_EVER, str(tmp_path), stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    acknowledged = -1
    while acknowledged < 10:
        acknowledged = int(await child.stdout.readline())
    child.kill()
    acknowledged = max([acknowledged, *map(int, (await child.stdout.read()).split())])
    await child.wait()
    told = await asyncio.to_thread(python, OPEN_AND_COUNT, str(tmp_path))
    found = {row["tag"]: row["rows"] for row in eval(told.stdout)}
    assert set(found.values()) == {500}
    assert {f"batch-{n:06}" for n in range(acknowledged + 1)} <= found.keys()


async def test_settings_without_a_server_mean_the_embedded_store(embedded_store: Store) -> None:
    assert await embedded_store.query("SELECT currentDatabase() AS here") == [{"here": "tallyman"}]
    assert Settings().clickhouse is None
