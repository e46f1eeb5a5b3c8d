"""The whole pipeline in this process, on the session's broker and ClickHouse, to load contract servers with."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.clickhouse import ClickHouse
from tests.support.product_loading import Loader
from tests.support.running_system import running_system


@pytest_asyncio.fixture(scope="package")
async def loader(
    kafka: str, clickhouse_server: ClickHouse, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Loader]:
    async with running_system(kafka, clickhouse_server, tmp_path_factory.mktemp("products"), "products") as system:
        yield Loader(system)
