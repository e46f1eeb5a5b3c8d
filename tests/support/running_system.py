"""The whole of Tallyman in this process, its stages at work, on the session's broker and ClickHouse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from shared.store.store import Store
from tallyman.system import System, open_system, run_stages
from tests.support.broker import PARTITIONS
from tests.support.clickhouse import ClickHouse


@asynccontextmanager
async def running_system(
    kafka: str, clickhouse: ClickHouse, data: Path, name: str, **changes: object
) -> AsyncIterator[System]:
    """Yield the system until the block ends.  name: of its database, and the prefix of its topics."""
    store = await Store.open(clickhouse.settings())
    await store._engine.command(f"CREATE DATABASE {name}")
    await store.close()
    settings = clickhouse.settings(
        name,
        kafka=kafka,
        topic_prefix=f"{name}.",
        partitions=PARTITIONS,
        data=data,
        attempts=2,
        drain_seconds=1.0,
        **changes,
    )
    async with open_system(settings) as system:
        stop = asyncio.Event()
        stages = asyncio.create_task(run_stages(system, stop))
        try:
            yield system
        finally:
            stop.set()
            with suppress(asyncio.CancelledError):
                await stages
