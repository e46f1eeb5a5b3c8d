"""A running system and a registry to be scanned, fast or as slowly as a test needs."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tallyman.system import System
from tests.fakes.product.server import ProductServer
from tests.fakes.v2.server import SERVERS
from tests.support.clickhouse import ClickHouse
from tests.support.generator import generate
from tests.support.running_system import running_system


@pytest_asyncio.fixture(scope="package")
async def system(
    kafka: str, clickhouse_server: ClickHouse, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    async with running_system(kafka, clickhouse_server, tmp_path_factory.mktemp("scans"), "scans") as running:
        yield running


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ProductServer]:
    async with SERVERS["v2"](generate(seed=5, repositories=8, tags=60)) as running:
        yield running


@pytest_asyncio.fixture
async def large_server() -> AsyncIterator[ProductServer]:
    """One that takes eight seconds to load at fifty requests a second."""
    async with SERVERS["v2"](generate(seed=6, repositories=8, tags=400)) as running:
        yield running


@pytest_asyncio.fixture
async def wide_server() -> AsyncIterator[ProductServer]:
    """One with half more repositories than the lister keeps unfinished."""
    async with SERVERS["v2"](generate(seed=6, repositories=150, tags=400)) as running:
        yield running
