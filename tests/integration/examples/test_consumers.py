"""The examples run, on what a real sink told."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from shared.settings import Settings
from shared.store import Store
from shared.store.statements import split
from tests.integration.sink.working import Estate, data, header, listening, put, sink
from tests.integration.trigger.working import Connections as Triggering
from tests.integration.trigger.working import event, image, tell, trigger
from tests.support.clickhouse import ClickHouse

EXAMPLES: Final = Path(__file__).parents[3] / "examples" / "consumers"
_SECONDS: Final = 60
SPINNER: Final = re.compile("\x08|\x1b\\[\\?25[hl]")
"""What Faust writes of its own before the first line."""


@pytest.fixture
def estate(registry_id: str) -> Estate:
    return Estate(registry_id)


@asynccontextmanager
async def running(settings: Settings, *command: str) -> AsyncIterator[asyncio.StreamReader]:
    """What a consumer prints, until the block ends."""
    told: Mapping[str, str] = {
        "TALLYMAN_KAFKA": str(settings.kafka),
        "TALLYMAN_CLICKHOUSE": "http://127.0.0.1:1",  # no command here asks it
        "TALLYMAN_TOPIC_PREFIX": settings.topic_prefix,
        "TALLYMAN_PARTITIONS": str(settings.partitions),
        "TALLYMAN": f"{Path(sys.executable).with_name('tallyman')}",
    }
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env={**os.environ, **told}, start_new_session=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        os.killpg(process.pid, 15)
        await process.wait()


async def lines(stream: asyncio.StreamReader, number: int) -> list[str]:
    async with asyncio.timeout(_SECONDS):
        return sorted([(await stream.readline()).decode().strip() for _ in range(number)])


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ((sys.executable, str(EXAMPLES / "plain.py")), "{id} {reference} linux/amd64"),
        (("sh", str(EXAMPLES / "images.sh")), "{reference}"),
    ],
    ids=["plain.py", "images.sh"],
)
async def test_a_consumer_sees_each_discovered_image_and_nothing_else(
    fresh_topics: Settings, embedded_store: Store, estate: Estate, command: tuple[str, ...], shown: str
) -> None:
    async with sink(fresh_topics, embedded_store), listening(fresh_topics) as heard:
        await put(fresh_topics, *(estate.observed(name, {"1": name, "2": "shared"}) for name in ("a", "b")))
        await heard.until(lambda: len(heard.units) == 2)
        await put(fresh_topics, estate.observed("a", {"1": "new"}, 2))
        await heard.until(lambda: len(heard.progress) == 3)
    discovered = [event for event in heard.events if header(event, "ce_type").endswith("image.discovered")]
    expected = sorted(
        shown.format(id=header(event, "ce_id"), reference=data(event)["reference"]) for event in discovered
    )
    assert len(expected) == 5
    async with running(fresh_topics, *command) as stream:
        assert await lines(stream, 5) == expected


async def test_a_faust_consumer_starts_a_scan_for_each_trigger(
    trigger_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trigger(trigger_settings, Triggering().add("registry01")) as at_work:
        await tell(trigger_settings, *(event(image(number)) for number in range(3)))
        triggers = await at_work.triggers(3)
    expected = sorted(f"{told['id']} {told['data']['reference']} linux/amd64" for told in triggers)
    monkeypatch.setenv("FAUST_DATADIR", str(tmp_path))
    command = (sys.executable, str(EXAMPLES / "scans.py"), "--quiet", "worker", "--without-web")
    async with running(trigger_settings, *command) as stream:
        told = await lines(stream, 3)
    assert sorted(SPINNER.sub("", line) for line in told) == expected


async def test_clickhouse_takes_the_events_by_its_own_kafka_engine(
    fresh_topics: Settings, embedded_store: Store, server_store: Store, clickhouse_server: ClickHouse, estate: Estate
) -> None:
    async with sink(fresh_topics, embedded_store), listening(fresh_topics) as heard:
        await put(fresh_topics, *(estate.observed(name, {"1": name, "2": "shared"}) for name in ("a", "b")))
        await heard.until(lambda: len(heard.units) == 2)
    expected = sorted(
        (header(event, "ce_id"), data(event)["digest"]) for event in heard.events if "digest" in data(event)
    )
    assert len(expected) == 4
    database = f"engine_{estate.registry}"
    await server_store._engine.command(f"CREATE DATABASE {database}")
    store = await Store.open(clickhouse_server.settings(database))
    try:
        sql = (EXAMPLES / "kafka_engine.sql").read_text()
        sql = sql.replace("127.0.0.1:9092", str(fresh_topics.kafka))
        sql = sql.replace("'image.events'", f"'{fresh_topics.topic_prefix}image.events'")
        sql = sql.replace("'clickhouse'", f"'{fresh_topics.topic_prefix}clickhouse'")
        for statement in split(sql):
            await store._engine.command(statement)
        asked = (
            "SELECT id, JSONExtractString(data, 'digest') AS digest, at FROM image_events "
            "WHERE type = 'image.discovered'"
        )
        rows = await until(lambda: store.query(asked), 4)
        assert sorted((row["id"], row["digest"]) for row in rows) == expected
        assert all(row["at"].year >= 2026 for row in rows)
        for table in ("image_events_arriving", "image_events_queue"):
            await store._engine.command(f"DROP TABLE {table} SYNC")
    finally:
        await store.close()


async def until(ask: Callable[[], Awaitable[list[dict[str, Any]]]], number: int) -> list[dict[str, Any]]:
    """The rows of a question once there are so many."""
    async with asyncio.timeout(_SECONDS):
        while True:
            rows = await ask()
            if len(rows) >= number:
                return rows
            await asyncio.sleep(0.2)
