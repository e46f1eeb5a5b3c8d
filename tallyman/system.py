"""The one-process form: broker, store, and all four stages, on embedded defaults or on servers."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

from services.access import RegistryAccess
from services.lister.progress import progress_heard
from services.lister.stage import lister_stage
from services.lister.window import Window
from services.manifester.stage import manifester_stage
from services.sink.service import run_sink
from services.tagger.stage import tagger_stage
from shared.connections.secrets import Secrets
from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.connections.writer import raise_scan_bases
from shared.messages.topics import CONNECTION_CHANGED, SCAN_REQUESTED
from shared.pipeline.broker import EmbeddedBroker
from shared.pipeline.data_lock import DataLock
from shared.pipeline.kafka import client_options
from shared.pipeline.stage import StageStats
from shared.pipeline.topics import ensure_topics, topic_name, transaction_name
from shared.pipeline.worker import run_stage
from shared.registry.clients import RegistryClients
from shared.settings import Settings
from shared.store.store import Store

STAGES: Final = ("lister", "tagger", "manifester", "sink")


@dataclass
class System:
    """An open installation.  settings: with the broker's address in them, embedded or not."""

    settings: Settings
    store: Store
    topic: ConnectionsTopic
    connections: ConnectionsView
    secrets: Secrets
    clients: RegistryClients
    stats: dict[str, StageStats] = field(default_factory=lambda: {name: StageStats() for name in STAGES})


@asynccontextmanager
async def running_broker(settings: Settings) -> AsyncIterator[Settings]:
    """Yield the settings with a broker's address: the one that is set, else that of the embedded broker."""
    if settings.kafka is not None:
        yield settings
        return
    broker = EmbeddedBroker(settings.data)
    address = await broker.start()
    try:
        yield settings.model_copy(update={"kafka": address})
    finally:
        await broker.stop()


@asynccontextmanager
async def open_system(settings: Settings) -> AsyncIterator[System]:
    """Yield an open installation: topics and schema made and checked. No stage runs yet."""
    async with AsyncExitStack() as stack:
        if settings.clickhouse is None:
            stack.enter_context(DataLock(settings.data))
        settings = await stack.enter_async_context(running_broker(settings))
        store = await Store.open(settings)
        stack.push_async_callback(store.close)
        await store.migrate()
        created = await ensure_topics(settings, STAGES)
        topic = connections_topic(settings)
        connections = ConnectionsView(topic)
        await connections.start()
        stack.push_async_callback(connections.stop)
        if SCAN_REQUESTED.name in created:
            await _raise_scan_bases(topic, connections, store)
        clients = RegistryClients(settings)
        stack.push_async_callback(clients.close)
        yield System(settings, store, topic, connections, Secrets.of(settings), clients)


def connections_topic(settings: Settings) -> ConnectionsTopic:
    """Return where the connections lie."""
    return ConnectionsTopic(
        client_options(settings), topic_name(settings, CONNECTION_CHANGED), transaction_name(settings, "connections")
    )


async def _raise_scan_bases(topic: ConnectionsTopic, connections: ConnectionsView, store: Store) -> None:
    """Let scans go on above the numbers in the store: a new topic counts from 0 again."""
    known = [connection.registry for connection, _ in connections.all()]
    if known:
        await raise_scan_bases(topic, {registry: await store.highest_scan(registry) for registry in known})


async def run_stages(system: System, stop: asyncio.Event) -> None:
    """Run the four stages until `stop`. Raises what ends one of them, after the others were stopped."""
    settings = system.settings
    access = RegistryAccess(system.connections, system.secrets, system.clients)
    window = Window(time.monotonic, settings.stall_seconds)
    async with progress_heard(settings, window.hear, stop):
        stats = system.stats
        await _first_failure(
            run_stage(lister_stage(access, window, settings, _now), settings, stop, stats=stats["lister"]),
            run_stage(tagger_stage(access, lambda: token_hex(8)), settings, stop, stats=stats["tagger"]),
            run_stage(manifester_stage(access, system.store, _now), settings, stop, stats=stats["manifester"]),
            run_sink(settings, system.store, system.connections, stop),
        )


async def _first_failure(*works: Coroutine[Any, Any, None]) -> None:
    """Run all side by side until they return; when one raises, cancel the others and raise it."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _now() -> datetime:
    return datetime.now(UTC)
