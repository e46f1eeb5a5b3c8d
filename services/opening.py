"""What a service opens before its loop: topics, connections, the way to registries, and, for some, the store.

Each stage's `__main__` and the one-process form start here, so that a start is checked in one way.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.access import RegistryAccess
from services.reporting import reporting
from services.sharing import sharing
from shared.connections.secrets import Secrets
from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.connections.writer import raise_scan_bases
from shared.messages.topics import CONNECTION_CHANGED, SCAN_REQUESTED
from shared.observability.logs import log_of
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import ensure_topics, topic_name, transaction_name
from shared.registry.clients import RegistryClients
from shared.registry.dialect import Dialect
from shared.registry.sharing.member import Member
from shared.settings import Settings
from shared.store.store import Store

_LOG: Final = log_of("start")


@dataclass(frozen=True)
class Opened:
    """An installation as a service uses it.  process: by which id it reports itself."""

    settings: Settings
    topic: ConnectionsTopic
    connections: ConnectionsView
    secrets: Secrets
    budgets: Member
    access: RegistryAccess[Dialect]
    process: str


def connections_topic(settings: Settings) -> ConnectionsTopic:
    """Return where the connections lie."""
    return ConnectionsTopic(
        client_options(settings), topic_name(settings, CONNECTION_CHANGED), transaction_name(settings, "connections")
    )


@asynccontextmanager
async def opened(settings: Settings, *stages: str, service: str = "") -> AsyncIterator[Opened]:
    """Yield the installation, its topics made and checked.

    stages: those whose dead-letter topics are needed.  service: what the process calls itself; else its first stage.

    Raises SettingsError.
    """
    async with AsyncExitStack() as stack:
        await ensure_topics(settings, stages)
        topic = connections_topic(settings)
        connections = ConnectionsView(topic)
        await connections.start()
        stack.push_async_callback(connections.stop)
        budgets = await stack.enter_async_context(sharing(settings, service or stages[0]))
        clients = RegistryClients(settings, budgets)
        stack.push_async_callback(clients.close)
        secrets = Secrets.of(settings)
        process = await stack.enter_async_context(
            reporting(settings, service or stages[0], lambda: secrets.fingerprints)
        )
        access = RegistryAccess(connections, secrets, clients)
        yield Opened(settings, topic, connections, secrets, budgets, access, process)


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Yield the store, its schema up to date. Raises SettingsError, StoreUnavailable."""
    store = await Store.open(settings)
    try:
        await store.migrate()
        await store.keep(settings)
        yield store
    finally:
        await store.close()


async def number_above_store(installation: Opened, store: Store) -> None:
    """Raise the scan base of each registry whose next scan would not have the highest number in the store.

    So it is where `scan.requested` was made anew, or its partitions were raised: a lower number would be ignored.
    """
    known = [connection for connection, _ in installation.connections.all()]
    if not known:
        return
    settings = installation.settings
    next_offsets = await _next_offsets(settings)
    low: dict[str, int] = {}
    for connection in known:
        highest = await store.highest_scan(connection.registry)
        if connection.scan_base + next_offsets[connection.slot % settings.partitions] <= highest:
            low[connection.registry] = highest
    if low:
        _LOG.warning("scan numbers raised above the store's", registries=len(low))
        await raise_scan_bases(installation.topic, low)


async def _next_offsets(settings: Settings) -> dict[int, int]:
    consumer = AIOKafkaConsumer(**client_options(settings))
    try:
        await consumer.start()
        sources = [
            TopicPartition(topic_name(settings, SCAN_REQUESTED), partition) for partition in range(settings.partitions)
        ]
        return {source.partition: offset for source, offset in (await consumer.end_offsets(sources)).items()}
    finally:
        await consumer.stop()
