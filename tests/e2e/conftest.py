"""One service for all tests that only ask it: starting broker and store takes seconds. And services of a test's own."""

import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from shared.settings import Settings
from shared.store import Store
from tests.e2e.service_processes import environment_of
from tests.support.clickhouse import ClickHouse

pytest.register_assert_rewrite("tests.e2e.agreement", "tests.e2e.tallyman_commands")

from tests.e2e.tallyman_commands import Tallyman  # noqa: E402  # after what rewrites its asserts


@pytest_asyncio.fixture(scope="package")
async def tallyman(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tallyman]:
    """The command line on a data folder that a running service has, shared by this folder: load hosts of your own."""
    patience = {"TALLYMAN_ATTEMPTS": "2", "TALLYMAN_LISTING_PAGES": "50"}  # so that bad registries are soon given up
    commands = Tallyman(tmp_path_factory.mktemp("service") / "data", patience)
    async with commands.serving():
        yield commands


@pytest_asyncio.fixture
async def settings(kafka: str, clickhouse_server: ClickHouse, server_store: Store, tmp_path: Path) -> Settings:
    """Settings of an installation of the test's own, on servers it shares."""
    database = f"e2e_{secrets.token_hex(4)}"
    await server_store._engine.command(f"CREATE DATABASE {database}")
    prefix = f"e2e-{secrets.token_hex(4)}."
    return clickhouse_server.settings(
        database, kafka=kafka, topic_prefix=prefix, partitions=8, data=tmp_path / "unused"
    )


@pytest.fixture
def environment(settings: Settings) -> Mapping[str, str]:
    """The same settings as variables."""
    return environment_of(settings)


@pytest.fixture
def distributed(environment: Mapping[str, str], tmp_path: Path) -> Tallyman:
    """The command line on that installation."""
    return Tallyman(tmp_path / "unused", environment)
