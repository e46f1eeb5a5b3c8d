"""The whole pipeline in this process, on the session's broker and ClickHouse, to load contract servers with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio

from shared.store.store import Store
from tallyman.system import open_system, run_stages
from tests.support.broker import PARTITIONS
from tests.support.clickhouse import ClickHouse
from tests.support.product_loading import Loader

DATABASE = "products"


@pytest_asyncio.fixture(scope="session")
async def loader(
    kafka: str, clickhouse_server: ClickHouse, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Loader]:
    store = await Store.open(clickhouse_server.settings())
    await store._engine.command(f"CREATE DATABASE {DATABASE}")
    await store.close()
    settings = clickhouse_server.settings(
        DATABASE,
        kafka=kafka,
        topic_prefix="products.",
        partitions=PARTITIONS,
        data=tmp_path_factory.mktemp("products"),
        attempts=2,
        drain_seconds=1.0,
    )
    async with open_system(settings) as system:
        stop = asyncio.Event()
        stages = asyncio.create_task(run_stages(system, stop))
        yield Loader(system)
        stop.set()
        with suppress(asyncio.CancelledError):
            await stages
