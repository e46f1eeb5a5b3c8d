"""Opening a store: what keeps us out is told, and with which setting to put it right."""

import asyncio
import socket
import ssl
import subprocess
import sys
from ast import literal_eval
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.errors import SettingsError
from shared.settings import Settings
from shared.store import Store, StoreError, StoreUnavailable
from tests.support.certificates import make_authority, make_server_certificate
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


# Hides the cgroup files from a command, without root: the engine then writes a stack at its start.
WITHOUT_CGROUPS = (
    "unshare",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    'mount -t tmpfs none /sys/fs/cgroup && exec "$@"',
    "sh",
)


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


@dataclass(frozen=True)
class Behind:
    """The server behind TLS. authority: the CA's PEM file."""

    url: str
    authority: Path


@pytest.fixture
async def behind_tls(clickhouse_server: ClickHouse, tmp_path: Path) -> AsyncIterator[Behind]:
    """TLS in front of the server, with a certificate of a CA that nobody knows."""
    authority = make_authority(tmp_path)
    certificate = make_server_certificate(tmp_path, authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    port = int(clickhouse_server.url.rpartition(":")[2])

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context) as server:
        address = server.sockets[0].getsockname()
        yield Behind(f"https://127.0.0.1:{address[1]}", authority.certificate_file)


async def test_a_server_behind_tls_is_reached_with_its_ca(clickhouse_server: ClickHouse, behind_tls: Behind) -> None:
    settings = clickhouse_server.settings(clickhouse=behind_tls.url, clickhouse_ca=behind_tls.authority)
    store = await Store.open(settings)
    assert await store.query("SELECT 1 AS one") == [{"one": 1}]
    await store.close()


async def test_an_unknown_ca_is_told_with_the_setting_that_names_it(
    clickhouse_server: ClickHouse, behind_tls: Behind
) -> None:
    with pytest.raises(
        SettingsError, match=r"TALLYMAN_CLICKHOUSE_CA: the certificate of .* unable to get local issuer"
    ):
        await Store.open(clickhouse_server.settings(clickhouse=behind_tls.url))


async def test_the_embedded_store_is_refused_to_a_second_process_with_what_to_do(
    embedded_store: Store, embedded_data: Path
) -> None:
    refused = await asyncio.to_thread(python, OPEN_AND_COUNT, str(embedded_data))
    assert refused.returncode != 0
    assert "another Tallyman process has it open: stop that one, or choose another data folder" in refused.stderr


async def test_what_lies_on_standard_input_is_nobodys_rows_and_stays_there(tmp_path: Path) -> None:
    """The engine would read rows of every insert from it: a loop over hosts in a shell would lose them."""
    script = '"$1" -c "$2" "$3" && cat'
    told = await asyncio.to_thread(
        subprocess.run,
        ["/bin/sh", "-c", script, "sh", sys.executable, OPEN_AND_COUNT, str(tmp_path)],
        input="a\nb\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.stderr == ""
    assert told.stdout.splitlines() == ["[]", "a", "b"]


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
    found = {row["tag"]: row["rows"] for row in literal_eval(told.stdout)}
    assert set(found.values()) == {500}
    assert {f"batch-{n:06}" for n in range(acknowledged + 1)} <= found.keys()


async def test_settings_without_a_server_mean_the_embedded_store(embedded_store: Store) -> None:
    assert await embedded_store.query("SELECT currentDatabase() AS here") == [{"here": "tallyman"}]
    assert Settings().clickhouse is None


def test_what_the_embedded_engine_writes_at_its_start_is_in_its_log(tmp_path: Path) -> None:
    command = [*WITHOUT_CGROUPS, sys.executable, "-c", OPEN_AND_COUNT, str(tmp_path)]
    opened = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (opened.returncode, opened.stdout, opened.stderr) == (0, "[]\n", "")
    assert "Cannot use cgroups reader" in (tmp_path / "clickhouse" / "engine.log").read_text()


async def test_a_folder_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "clickhouse" / "engine.log").mkdir(parents=True)  # root, too, cannot write it
    with pytest.raises(
        StoreError, match=r"cannot be opened\. .* see that the folder can be written, and what the engine"
    ):
        await Store.open(Settings().model_copy(update={"data": tmp_path}))
