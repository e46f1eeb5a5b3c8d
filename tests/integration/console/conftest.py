"""A console on a running system, as browsers and scripts reach it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from services.console.doors.tokens import make_token
from services.console.office import Office
from services.console.service import console_served, office_of
from shared.messages.connection_notes import Role
from tallyman.system import System
from tests.fakes.product.server import ProductServer
from tests.fakes.v2.server import SERVERS
from tests.support.clickhouse import ClickHouse
from tests.support.generator import generate
from tests.support.running_system import running_system

PASSWORD = "a password of the tests"


@dataclass(frozen=True)
class Console:
    """url: without a slash at the end.  reader, admin: tokens."""

    url: str
    system: System
    office: Office
    reader: str
    admin: str

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30)


@pytest_asyncio.fixture(scope="package")
async def console(
    kafka: str, clickhouse_server: ClickHouse, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Console]:
    changes = {"console": "127.0.0.1:0", "admin_password": SecretStr(PASSWORD)}
    folder = tmp_path_factory.mktemp("console")
    async with running_system(kafka, clickhouse_server, folder, "console", **changes) as system:
        office = office_of(system.installation, system.store)
        async with console_served(office) as (address, made):
            assert made is None, "a password was given"
            tokens = {}
            for role in Role:
                _, tokens[role], offset = await make_token(office.topic, role.value, role, office.clock)
                await office.connections.seen(offset)
            yield Console(address.url.rstrip("/"), system, office, tokens[Role.READER], tokens[Role.ADMIN])


@pytest_asyncio.fixture
async def api(console: Console) -> AsyncIterator[httpx.AsyncClient]:
    """Asks /api/v1 as an administrator."""
    async with console.client(console.admin) as client:
        client.base_url = httpx.URL(console.url + "/api/v1")
        yield client


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ProductServer]:
    async with SERVERS["v2"](generate(seed=5, repositories=8, tags=60)) as running:
        yield running


def draft_of(server: ProductServer, **fields: object) -> dict[str, object]:
    """What is sent to connect a server."""
    known = {
        "username": server.username,
        "password": server.password,
        "max_rps": 5000,
        "name": f"con-{server.number}",
    }
    return {"host": server.url, **known, **server.connection, **fields}
