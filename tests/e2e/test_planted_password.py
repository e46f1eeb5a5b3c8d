"""A password that is planted and used in every way, failures included, is found in no output, log, topic or file."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.pipeline.kafka import client_options
from tallyman.door import SOCKET, Door
from tests.e2e.tallyman_commands import ADMIN_PASSWORD, Tallyman
from tests.fakes.nexus.server import SERVERS
from tests.fakes.product.server import ProductServer
from tests.support.broker import settings_for
from tests.support.generator import generate

PLANTED = "planted-Pa55word-äö"
WRONG = "planted-wrong-Pa55word"
FORMS = [form for word in (PLANTED, WRONG) for form in (word, json.dumps(word)[1:-1], word.encode("utf-8").hex())]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ProductServer]:
    async with SERVERS["nexus"](generate(seed=5, repositories=4, tags=20)) as running:
        yield running


async def asked(api: httpx.AsyncClient, said: list[str], method: str, path: str, **more: object) -> httpx.Response:
    answer = await api.request(method, path, **more)  # type: ignore[arg-type]
    said.append(f"{answer.headers} {answer.text}")
    return answer


async def use_it_every_way(tallyman: Tallyman, api: httpx.AsyncClient, server: ProductServer, said: list[str]) -> None:
    draft = {"host": server.url, "username": server.username, **server.connection, "max_rps": 5000}
    for password in (PLANTED, WRONG):
        for body in (
            {**draft, "name": "api", "password": password},
            {**draft, "name": "!", "password": password},
            {**draft, "name": "api", "password": [password]},
            {**draft, "host": f"https://me:{password}@x.example.com", "name": "api"},
            {**draft, "name": "api", "max_rps": password},
        ):
            await asked(api, said, "POST", "/api/v1/connections/test", json=body)
    await asked(api, said, "POST", "/api/v1/connections", json={**draft, "name": "api", "password": PLANTED})
    await asked(api, said, "POST", "/api/v1/connections", json={**draft, "name": "api", "password": PLANTED})
    await asked(api, said, "POST", "/api/v1/connections/api/test")
    await asked(api, said, "POST", "/api/v1/connections/api/scans", json={})
    await asked(api, said, "PATCH", "/api/v1/connections/api", json={"password": WRONG}, headers={"if-match": '"1"'})
    await asked(api, said, "PATCH", "/api/v1/connections/api", json={"password": WRONG}, headers={"if-match": '"1"'})
    await asked(api, said, "POST", "/api/v1/connections/api/test")
    await asked(api, said, "GET", "/api/v1/connections")
    await asked(api, said, "POST", "/sign-in", data={"password": PLANTED})
    name = ["--username", str(server.username), "--auth", "basic", "--type", "nexus", "--password-stdin"]
    await tallyman("connection", "add", "cli", server.url, *name, stdin=PLANTED + "\n")
    await tallyman("connection", "add", "cli2", server.url, "--test", *name, stdin=WRONG + "\n", code=4)
    await tallyman("connection", "show", "cli", "--json")
    await tallyman("connection", "test", "cli", code=4)
    await tallyman("scan", "cli", "--wait", code=4)
    await tallyman("load", server.url, "--name", "cli", *name, stdin=WRONG + "\n", code=4)
    await tallyman("secrets", "rotate")


async def process_lists_meanwhile(seen: list[str], stop: asyncio.Event) -> None:
    while not stop.is_set():
        seen += [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
        await asyncio.sleep(0.2)


async def every_record(kafka: str, folder: Path) -> bytes:
    """Keys, values and headers of all topics, those of aborted transactions included."""
    consumer = AIOKafkaConsumer(**client_options(settings_for(kafka, folder)), auto_offset_reset="earliest")
    await consumer.start()
    try:
        found = b""
        for topic in await consumer.topics():
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            for partition in partitions:
                while await consumer.position(partition) < ends[partition]:
                    for record in (await consumer.getmany(partition, timeout_ms=100)).get(partition, []):
                        found += (record.key or b"") + (record.value or b"") + repr(record.headers).encode()
        return found
    finally:
        await consumer.stop()


async def test_it_is_nowhere(tmp_path: Path, server: ProductServer) -> None:
    settings = {"TALLYMAN_LOG_LEVEL": "debug", "TALLYMAN_ATTEMPTS": "2"}
    tallyman = Tallyman(tmp_path / "data", settings, forks=False)  # its process list is looked at
    said: list[str] = []
    lists: list[str] = []
    async with tallyman.serving() as service:
        stop = asyncio.Event()
        watching = asyncio.create_task(process_lists_meanwhile(lists, stop))
        transport = httpx.AsyncHTTPTransport(uds=str(tallyman.data / SOCKET))
        async with httpx.AsyncClient(base_url="http://door", transport=transport, timeout=60) as api:
            await use_it_every_way(tallyman, api, server, said)
            for path in ("/metrics", "/registries", "/registries/cli/edit", "/registries/cli", "/", "/scans"):
                await asked(api, said, "GET", path)
        async with httpx.AsyncClient(base_url=service.console) as browser:
            await asked(browser, said, "POST", "/sign-in", data={"password": PLANTED})
            await asked(browser, said, "POST", "/sign-in", data={"password": ADMIN_PASSWORD})
        stop.set()
        await watching
        door = await Door.find(tallyman.data)
        assert door is not None
        records = await every_record(door.kafka, tmp_path)
        said += [service.log.read_text()]
    said += tallyman.said
    assert server.desk.asked, "the registry never saw a request"
    text = "\n".join(said)
    assert "rejected the user name or password" in text, "the failures that were meant did not happen"
    for form in FORMS:
        assert form not in text
        assert form not in "\n".join(lists)
        assert form.encode() not in records
    files = [path for path in tallyman.data.rglob("*") if path.is_file()]
    assert [path for path in files if any(form.encode() in path.read_bytes() for form in FORMS)] == []
