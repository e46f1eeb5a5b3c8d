"""How long it takes from a push to its event on Kafka, with a real registry that sends its notifications.

python -m benchmarks.hook_latency [PUSHES]     all in this process, embedded

Measured twice: while nothing else is read, and while a full load of the registry runs.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.console.office import Office
from services.console.registries import Draft
from services.console.service import console_served, office_of
from services.scan_requests import Wanted
from shared.messages.cloud_events import event_on_kafka
from shared.messages.topics import IMAGE_EVENTS
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import topic_name
from shared.settings import Settings
from tallyman.system import open_system, run_stages
from tests.support.generator import Estate, generate
from tests.support.generator_push import push_tag
from tests.support.generator_storage import Storage
from tests.support.registry import Registry, running_registry

_PUSHES: Final = 100
_HOOKS: Final = 300
_LOAD_REPOSITORIES: Final = 400
_LOAD_RPS: Final = 50
"""The load is slow enough to last while pushes come."""
_REPOSITORY: Final = "team/pushed"


async def main(pushes: int) -> None:
    with TemporaryDirectory(prefix="tallyman-bench-") as folder:
        told, during, answered = await _measured(Path(folder), pushes)
    print(f"{pushes} pushes, one after another: from the push's answer to image.discovered on Kafka, read committed")
    _print_times(told)
    print(f"{len(during)} pushes while a full load of the registry ran, at {_LOAD_RPS} requests a second")
    _print_times(during)
    print(f"{_HOOKS} hooks, one after another: until each is answered")
    _print_times(answered)


def _print_times(seconds: list[float]) -> None:
    ordered = sorted(1000 * one for one in seconds)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    print(f"median {statistics.median(ordered):.0f} ms, p99 {p99:.0f} ms, longest {ordered[-1]:.0f} ms")


async def _answered(url: str, secret: str) -> list[float]:
    """Return how long each of many hooks took to be answered."""
    target = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "repository": _REPOSITORY, "tag": "t0"}
    seconds = []
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {secret}"}) as client:
        for _ in range(_HOOKS):
            begun = time.monotonic()
            answer = await client.post(url, json={"events": [{"action": "push", "target": target}]})
            seconds.append(time.monotonic() - begun)
            assert answer.status_code == 202
    return seconds


async def _measured(folder: Path, pushes: int) -> tuple[list[float], list[float], list[float]]:
    settings = Settings().model_copy(update={"data": folder / "data", "console": "127.0.0.1:0"})
    async with _running(settings) as (office, url):
        connection = await office.registries.create(Draft({"name": "pushed", "host": "http://127.0.0.1:9"}))
        secret = await office.registries.new_hook_secret(connection)
        hook = (f"{url}hooks/pushed", secret.get_secret_value())
        with running_registry(folder / "registry", hook=hook) as registry:
            await office.registries.edit(connection.registry, 1, Draft({"host": registry.url}))
            estate = generate(seed=1, repositories=_LOAD_REPOSITORIES, tags=_LOAD_REPOSITORIES)
            Storage(registry.storage).write(estate)
            estate.repositories[_REPOSITORY] = {}
            alone = [await _pushed(office, estate, registry, f"t{number}") for number in range(pushes)]
            answered = await _answered(*hook)
            revision = office.registries.find("pushed").revision
            await office.registries.edit(connection.registry, revision, Draft({"max_rps": _LOAD_RPS}))
            during = await _pushed_during_a_load(office, estate, registry, connection.registry)
            return alone, during, answered


async def _pushed_during_a_load(office: Office, estate: Estate, registry: Registry, of: str) -> list[float]:
    """Return how long each push took that was told before the load had ended."""
    connection = office.registries.find(of)
    asked = await office.registries.scan(connection, Wanted(of))
    seconds: list[float] = []
    while True:
        took = await _pushed(office, estate, registry, f"during{len(seconds)}")
        if all(running.scan != asked.scan for running in await office.store.running_scans(of)):
            return seconds
        seconds.append(took)


async def _pushed(office: Office, estate: Estate, registry: Registry, tag: str) -> float:
    """Push a new image; return the seconds until its event is on Kafka."""
    digest = estate.new_image(_REPOSITORY)
    estate.repositories[_REPOSITORY][tag] = digest
    async with _listening(office.settings) as events:
        await push_tag(estate, registry, _REPOSITORY, tag)
        begun = time.monotonic()
        async for event in events:
            if event["data"].get("digest") == digest:
                break
        return time.monotonic() - begun


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[tuple[Office, str]]:
    async with open_system(settings) as system:
        office = office_of(system.installation, system.store)
        stop = asyncio.Event()
        stages = asyncio.create_task(run_stages(system, stop))
        async with console_served(office) as (address, _):
            yield office, address.url
        stop.set()
        await stages


@asynccontextmanager
async def _listening(settings: Settings) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    name = topic_name(settings, IMAGE_EVENTS)
    async with AIOKafkaConsumer(**client_options(settings), isolation_level="read_committed") as consumer:
        consumer.assign([TopicPartition(name, number) for number in range(settings.partitions)])
        await consumer.seek_to_end()

        async def events() -> AsyncIterator[dict[str, Any]]:
            async for record in consumer:
                event: Any = event_on_kafka(record.headers, record.value)
                yield event

        yield events()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else _PUSHES))
