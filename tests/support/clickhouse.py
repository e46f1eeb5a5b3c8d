"""A real ClickHouse, both ways: the embedded engine, and a server over HTTP.

The server is a container where a Docker engine answers, else the engine of an npm package, in a process of its own.
Tests share both stores and keep apart by their registry's id: the embedded engine opens one folder in a process's
life. Migrations, and what else changes a store as a whole, get databases of their own on the server.
"""

import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import clickhouse_connect
import pytest
import pytest_asyncio
from pydantic import SecretStr

from shared.settings import Settings
from shared.store import Store
from shared.store.migrate import shipped
from shared.store.reader import reader_statements
from tests.support.npm import npm_file
from tests.support.registry import _engine_answers

USERNAME: Final = "tallyman"
PASSWORD: Final = "made up, of a test's server"

READER: Final = "declared_reader"
"""A user with the reader's rights in the database `readers`. The server out of a package keeps no users that SQL makes,
so there it is declared; in a container it is made."""
READER_DATABASE: Final = "readers"

_PACKAGE: Final = "@chdb/lib-linux-x64-gnu"
_VERSION: Final = "26.7.3-stable.1"
_IMAGE: Final = "clickhouse/clickhouse-server:26.7"
_START_SECONDS: Final = 60.0

_CONFIG: Final = """
<clickhouse>
    <users_config>{file}</users_config>
    <users>
        <default><password></password><networks><ip>127.0.0.1</ip></networks></default>
        <{username}>
            <password>{password}</password><networks><ip>127.0.0.1</ip></networks>
            <access_management>1</access_management>
        </{username}>
        <{reader}>
            <password>{reader_password}</password><networks><ip>127.0.0.1</ip></networks>
            <grants>{reader_grants}</grants>
        </{reader}>
    </users>
    <profiles><default/></profiles>
    <quotas><default/></quotas>
</clickhouse>
"""
_PUBLIC_VIEW: Final = r"CREATE OR REPLACE VIEW (\w+) \("
# Listens until its stdin closes.
_SERVE: Final = "SYSTEM START LISTEN HTTP; SELECT count() FROM file('-', 'LineAsString', 'line String') FORMAT Null"


@dataclass(frozen=True)
class ClickHouse:
    """A running server. url: scheme, host, port."""

    url: str
    username: str = USERNAME
    password: str = PASSWORD

    def settings(self, database: str = "", **changes: object) -> Settings:
        """Return settings that lead to it, as a composition root has them."""
        return Settings().model_copy(
            update={
                "clickhouse": f"{self.url}/{database}" if database else self.url,
                "clickhouse_username": self.username,
                "clickhouse_password": SecretStr(self.password),
                **changes,
            }
        )


@contextmanager
def running_clickhouse(folder: Path) -> Iterator[ClickHouse]:
    """Run a server with all it keeps in `folder`, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    run = _in_container if _engine_answers() else _as_process
    with run(folder) as port:
        yield ClickHouse(f"http://127.0.0.1:{port}")


@contextmanager
def _as_process(folder: Path) -> Iterator[int]:
    port = free_port()
    process = start_server(folder, port)
    try:
        yield port
    finally:
        _stop(process)


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a server as a process, with all it keeps in `folder`, and return it once it answers."""
    library = npm_file(_PACKAGE, _VERSION, "libchdb.so")
    config = folder / "config.xml"
    config.write_text(
        _CONFIG.format(
            file=config,
            username=USERNAME,
            password=PASSWORD,
            reader=READER,
            reader_password=PASSWORD,
            reader_grants="".join(f"<query>{grant}</query>" for grant in _reader_grants()),
        )
    )
    command = [
        *(sys.executable, str(Path(__file__).with_name("clickhouse_process.py")), str(library)),
        *(f"--config-file={config}", "--path", str(folder / "data")),
        *("--http_port", str(port), "--listen_host", "127.0.0.1", "--query", _SERVE),
    ]
    log = folder / "clickhouse.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
    if not _answers(port, process):
        process.kill()
        pytest.fail(f"The ClickHouse server did not start: {log.read_text()[-2000:]}", pytrace=False)
    return process


def _reader_grants() -> Iterator[str]:
    """Yield what the reader is granted, without whom to: a configuration names the user beside it."""
    for statement in _reader_statements():
        if statement.startswith("GRANT"):
            yield statement.partition(" TO ")[0]


def _reader_statements() -> list[str]:
    views = sorted({view for migration in shipped() for view in re.findall(_PUBLIC_VIEW, migration.sql)})
    return reader_statements(READER, PASSWORD, READER_DATABASE, views)


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(1)  # it would wait for connections that clients keep alive
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _in_container(folder: Path) -> Iterator[int]:
    from testcontainers.core.container import DockerContainer  # only where an engine is: it looks for one at import

    container = (
        DockerContainer(_IMAGE)
        .with_env("CLICKHOUSE_USER", USERNAME)
        .with_env("CLICKHOUSE_PASSWORD", PASSWORD)
        .with_env("CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT", "1")
        .with_exposed_ports(8123)
    )
    with container:
        port = int(container.get_exposed_port(8123))
        if not _answers(port, None):
            pytest.fail(f"ClickHouse's container did not start: {container.get_logs()}", pytrace=False)
        client = clickhouse_connect.get_client(host="127.0.0.1", port=port, username=USERNAME, password=PASSWORD)
        for statement in _reader_statements():
            if not statement.startswith("ALTER TABLE"):
                client.command(statement)
        yield port


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _answers(port: int, process: subprocess.Popen[bytes] | None) -> bool:
    """Wait until the server answers; False when it died or the time is over."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2):
                return True
        except OSError:
            time.sleep(0.05)
    return False


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A ClickHouse server over HTTP, shared by the session."""
    with running_clickhouse(tmp_path_factory.mktemp("clickhouse-server")) as server:
        yield server


@pytest_asyncio.fixture(scope="session")
async def server_store(clickhouse_server: ClickHouse) -> AsyncIterator[Store]:
    """A migrated store on the server, shared by the session: keep to a registry of your own."""
    store = await Store.open(clickhouse_server.settings())
    await store.migrate()
    yield store
    await store.close()


@asynccontextmanager
async def own_database(server: ClickHouse, store: Store, name: str) -> AsyncIterator[Store]:
    """The store of a database that is made for the block, its schema up to date.  store: of the same server."""
    await store._engine.command(f"CREATE DATABASE {name}")
    own = await Store.open(server.settings(name))
    try:
        await own.migrate()
        yield own
    finally:
        await own.close()


@pytest.fixture(scope="session")
def embedded_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the embedded store."""
    return tmp_path_factory.mktemp("embedded-store")


@pytest_asyncio.fixture(scope="session")
async def embedded_store(embedded_data: Path) -> AsyncIterator[Store]:
    """The migrated embedded store, the only one this process can have: keep to a registry of your own."""
    store = await Store.open(Settings().model_copy(update={"data": embedded_data}))
    await store.migrate()
    yield store
    await store.close()


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest) -> Store:
    """A store, once of each kind."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found


@pytest.fixture
def registry_id() -> str:
    """A registry's id that no other test has."""
    return secrets.token_hex(8)
