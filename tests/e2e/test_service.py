"""The one-process form from its first start to its last stop: what is left behind, and what a next run makes of it."""

import asyncio
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests.e2e.small_registry import CATALOG, REPOSITORY, SmallRegistry
from tests.e2e.tallyman_commands import Tallyman
from tests.fakes.hostile_registry import Reply, hostile_registry

STOP_SECONDS = 10.0


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Tallyman]:
    """The command line on a data folder of the test's own. Whatever a test leaves running there is ended."""
    yield Tallyman(tmp_path / "data")
    for process in processes_of(tmp_path / "data"):
        process.kill()


def processes_of(data: Path) -> list[psutil.Process]:
    """Return the processes whose command line names the folder or a part of it: the service, and its broker."""
    mark = str(data)
    found = (process for process in psutil.process_iter() if process.pid != psutil.Process().pid)
    return [process for process in found if any(mark in word for word in _words(process))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


async def test_a_load_without_a_service_leaves_an_inventory_to_ask_and_nothing_running(alone: Tallyman) -> None:
    first = await alone("run", "--load", "sample", "--once")
    assert "sample: complete" in first.out
    assert f"tallyman images --data {alone.data}" in first.out
    assert processes_of(alone.data) == []

    images = await alone.rows("images")
    assert {row["registry"] for row in images} == {"sample"}
    (counted,) = await alone.sql("SELECT count() AS images FROM current_images")
    assert counted == {"images": len(images)}
    assert (await alone("sql", "SELECT * FROM file('/etc/passwd')", code=2)).out == ""
    events = await alone.rows("events")
    assert sum(event["type"] == "dev.tallyman.image.discovered" for event in events) == len(images)

    second = await alone("run", "--load", "sample", "--once")
    print(f"second start, load and stop: {second.seconds} s")
    assert "0  images discovered by this scan" in second.out
    assert len(await alone.rows("images")) == len(images)
    assert processes_of(alone.data) == []


async def test_a_load_that_is_broken_off_leaves_nothing_running_and_can_be_made_again(alone: Tallyman) -> None:
    async with hostile_registry() as fake:
        registry = SmallRegistry(fake)
        registry.fill()
        well = fake.scripts[CATALOG]
        registry.breaks(CATALOG, Reply(wait_seconds=20))
        loading = await alone.start("load", registry.url)
        async with asyncio.timeout(60):
            while not fake.requests(CATALOG):  # noqa: ASYNC110  # the fake only keeps what it has seen
                await asyncio.sleep(0.05)
        started = time.monotonic()
        loading.send_signal(signal.SIGINT)
        _, err = await loading.communicate()
        assert time.monotonic() - started < STOP_SECONDS
        assert loading.returncode == 130
        assert "Traceback" not in err.decode()
        assert processes_of(alone.data) == []

        registry.breaks(CATALOG, well)
        assert (await alone.load(registry.url))["images"] == 3


async def test_a_service_has_its_folder_alone_stops_cleanly_and_comes_back_after_being_killed(
    alone: Tallyman, unused_tcp_port: int
) -> None:
    socket = alone.data / "tallyman.sock"
    async with hostile_registry() as fake:
        registry = SmallRegistry(fake)
        registry.fill()
        async with alone.serving("--listen", f"127.0.0.1:{unused_tcp_port}") as service:
            for path in ("/healthz", "/readyz"):
                assert await asyncio.to_thread(get, unused_tcp_port, path) == '{"status":"ok"}'
            assert "tallyman_connections 0.0" in await asyncio.to_thread(get, unused_tcp_port, "/metrics")
            assert stat.S_IMODE(socket.stat().st_mode) == 0o600
            refused = await alone("run", code=1)
            assert f"in use by process {service.process.pid}: stop that one first" in refused.err
            await alone.load(registry.url)
            assert REPOSITORY not in await asyncio.to_thread(get, unused_tcp_port, "/metrics")

            await service.stop(signal.SIGKILL)

        assert socket.exists()
        assert len(await alone.rows("images")) == 3  # straight from the store: nobody answers at the socket

        async with alone.serving() as service:
            assert (await alone.load(registry.url))["discovered"] == 0
            started = time.monotonic()
            assert await service.stop(signal.SIGINT) == 0
            assert time.monotonic() - started < STOP_SECONDS
        assert "Traceback" not in service.log.read_text()
    assert not socket.exists()
    assert processes_of(alone.data) == []


def get(port: int, path: str) -> str:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text
