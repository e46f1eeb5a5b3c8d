"""The embedded broker: starts, survives, ends, and leaves nothing behind."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.messages.topics import SCAN_REQUESTED
from shared.pipeline.broker import BrokerError, EmbeddedBroker
from shared.pipeline.data_lock import DataLock, DataLockedError
from shared.pipeline.jars import JarError, jars_folder, locked_jars
from shared.pipeline.topics import ensure_topics, topic_name
from shared.settings import Settings
from tests.support.broker import settings_for

NOWHERE = "http://127.0.0.1:9"


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[tuple[EmbeddedBroker, Settings]]:
    broker = EmbeddedBroker(data)
    settings = settings_for(await broker.start(), data)
    try:
        yield broker, settings
    finally:
        await broker.stop()


async def send(settings: Settings, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", request_timeout_ms=20_000)
    await producer.start()
    try:
        await producer.send_and_wait(topic_name(settings, SCAN_REQUESTED), value, partition=0)
    finally:
        await producer.stop()


async def received(settings: Settings) -> bytes | None:
    consumer = AIOKafkaConsumer(
        topic_name(settings, SCAN_REQUESTED), bootstrap_servers=settings.kafka, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        return (await asyncio.wait_for(consumer.getone(), 20)).value
    finally:
        await consumer.stop()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110  # what is waited for is another process
            await asyncio.sleep(0.05)


def process_of(broker: EmbeddedBroker) -> psutil.Process:
    assert broker.pid is not None
    return psutil.Process(broker.pid)


async def test_what_was_sent_is_there_after_a_stop_and_a_start(tmp_path: Path) -> None:
    data = tmp_path / "données, and blanks"
    async with running(data) as (broker, settings):
        await ensure_topics(settings, ())
        await send(settings, b"kept")
        process = process_of(broker)
    assert broker.pid is None
    assert not process.is_running()
    assert not (data / "kafka" / "broker.pid").exists()
    with DataLock(data / "kafka"):
        pass

    async with running(data) as (_, settings):
        assert await ensure_topics(settings, ()) == frozenset()
        assert await received(settings) == b"kept"


async def test_a_broker_that_dies_comes_back_at_its_address_with_its_data(tmp_path: Path) -> None:
    async with running(tmp_path) as (broker, settings):
        await ensure_topics(settings, ())
        await send(settings, b"kept")
        killed = process_of(broker)
        killed.kill()
        await until(lambda: broker.pid not in (None, killed.pid))
        assert await ensure_topics(settings, ()) == frozenset()
        assert await received(settings) == b"kept"
        again = process_of(broker)
    assert not again.is_running()


async def test_a_stop_while_the_broker_is_being_restarted_leaves_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as (broker, _):
        killed = process_of(broker)
        killed.kill()
        await until(lambda: broker.pid != killed.pid)
    assert of_folder(tmp_path) == []


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    start = asyncio.create_task(EmbeddedBroker(tmp_path).start())
    await until(lambda: (tmp_path / "kafka" / "broker.pid").exists())
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert of_folder(tmp_path) == []
    with DataLock(tmp_path / "kafka"):
        pass


async def test_a_broker_does_not_see_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYMAN_PASSWORD", "geheim")
    async with running(tmp_path) as (broker, _):
        assert "TALLYMAN_PASSWORD" not in process_of(broker).environ()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
async def test_a_broker_ends_with_the_run_that_is_killed(tmp_path: Path) -> None:
    run, broker = await another_run(tmp_path)
    run.kill()
    await run.wait()
    await until(lambda: not broker.is_running())
    assert of_folder(tmp_path) == []


async def test_a_broker_that_outlived_its_run_is_stopped_by_the_next(tmp_path: Path) -> None:
    run, stale = await another_run(tmp_path)
    stale.suspend()  # deaf to everything but SIGKILL
    run.kill()
    await run.wait()
    assert stale.is_running()
    async with running(tmp_path) as (broker, settings):
        assert not stale.is_running()
        assert broker.pid != stale.pid
        await ensure_topics(settings, ())


async def test_a_process_that_only_has_the_pid_of_a_stale_broker_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "broker.pid").write_text(f'{{"pid": {os.getpid()}, "began": "1"}}')
    async with running(tmp_path) as (broker, _):
        assert of_folder(tmp_path) == [broker.pid]
        assert broker.pid != os.getpid()


async def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    async with running(tmp_path):
        with pytest.raises(DataLockedError, match=rf"in use by process {os.getpid()}: stop that one first"):
            await EmbeddedBroker(tmp_path).start()


async def test_a_broker_that_cannot_start_is_told_in_its_own_words(tmp_path: Path) -> None:
    async with running(tmp_path):
        pass
    (tmp_path / "kafka" / "logs" / "meta.properties").write_text("version=1\ncluster.id=other\nnode.id=7\n")
    with pytest.raises(BrokerError) as failed:
        await EmbeddedBroker(tmp_path).start()
    sentence = str(failed.value)
    assert "ended at its start (exit code 1)" in sentence
    assert "set TALLYMAN_KAFKA to a broker of your own" in sentence
    assert "node id matches" in sentence.rpartition("Its last words:")[2]
    assert of_folder(tmp_path) == []


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kafka: str) -> Path:
    """The jars' folder of a home of its own, filled from the real one (the session's broker has seen to that)."""
    real = jars_folder(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    own = jars_folder(tmp_path)
    for jar in locked_jars():
        shutil.copy2(real / jar.file_name, own)
    return own


async def test_a_changed_jar_is_refused_before_anything_runs(home: Path, tmp_path: Path) -> None:
    with (home / "kafka-raft-4.4.0.jar").open("ab") as jar:
        jar.write(b"more")
    with pytest.raises(JarError, match=r"kafka-raft-4\.4\.0\.jar is not the one"):
        await EmbeddedBroker(tmp_path / "data").start()
    assert not (tmp_path / "data" / "kafka" / "logs").exists()


async def test_a_missing_jar_that_cannot_be_downloaded_is_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_a_network(monkeypatch)
    (home / "kafka-raft-4.4.0.jar").unlink()
    with pytest.raises(JarError, match=r"kafka-raft-4\.4\.0\.jar .* could not be downloaded .*check the network"):
        await EmbeddedBroker(tmp_path / "data").start()
    assert names(home, "download-*") == []


async def test_the_first_stop_leaves_class_data_with_which_later_starts_need_no_network(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_a_network(monkeypatch)
    async with running(tmp_path / "data"):
        pass
    assert len(names(home, "broker-*.jsa")) == len(names(home, "java-*.jsa")) == 1
    async with running(tmp_path / "data") as (broker, _):
        opened = {Path(mapped.path).suffix for mapped in process_of(broker).memory_maps()}
    assert ".jsa" in opened
    assert names(home, "*.new") == []


def without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, NOWHERE)


def names(folder: Path, pattern: str) -> list[str]:
    return [path.name for path in folder.glob(pattern)]


def of_folder(data: Path) -> list[int]:
    """The processes that work on the folder's broker."""
    mark = f"-Dtallyman.broker={data / 'kafka'}"
    return [process.pid for process in psutil.process_iter(["cmdline"]) if mark in (process.info["cmdline"] or ())]


RUN = """
import asyncio, sys
from pathlib import Path
from shared.pipeline.broker import EmbeddedBroker

async def main():
    broker = EmbeddedBroker(Path(sys.argv[1]))
    await broker.start()
    print(broker.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def another_run(data: Path) -> tuple[asyncio.subprocess.Process, psutil.Process]:
    """A process of its own that has started a broker, and that broker."""
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, str(data), stdout=asyncio.subprocess.PIPE)
    assert run.stdout is not None
    return run, psutil.Process(int(await asyncio.wait_for(run.stdout.readline(), 60)))
