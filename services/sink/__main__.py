"""Runs the sink alone: settings, then clients, then the loop."""

import asyncio
import sys
from contextlib import AsyncExitStack

from services.sink.partition import STAGE
from services.sink.service import run_sink
from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.messages.topics import CONNECTION_CHANGED
from shared.observability.heartbeat import beating
from shared.observability.logs import configure_logs
from shared.pipeline.kafka import client_options
from shared.pipeline.process import run_process
from shared.pipeline.topics import ensure_topics, topic_name, transaction_name
from shared.settings import load_settings
from shared.store.store import Store


async def run(stop: asyncio.Event) -> None:
    """Work observations and progress until `stop`."""
    settings = load_settings()
    configure_logs(settings.log_level)
    await ensure_topics(settings, [STAGE])
    topic = ConnectionsTopic(
        options=client_options(settings),
        name=topic_name(settings, CONNECTION_CHANGED),
        transactional_id=transaction_name(settings, "connections"),
    )
    async with beating(settings.heartbeat), AsyncExitStack() as stack:
        connections = ConnectionsView(topic)
        await connections.start()
        stack.push_async_callback(connections.stop)
        store = await Store.open(settings)
        stack.push_async_callback(store.close)
        await store.migrate()
        await run_sink(settings, store, connections, stop)


if __name__ == "__main__":
    sys.exit(run_process(run))
