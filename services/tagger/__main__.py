"""Runs the tagger alone: settings, then clients, then the stage."""

import asyncio
import sys
from contextlib import AsyncExitStack
from secrets import token_hex

from services.access import RegistryAccess
from services.tagger.stage import NAME, tagger_stage
from shared.connections.secrets import Secrets
from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.messages.topics import CONNECTION_CHANGED
from shared.observability.heartbeat import beating
from shared.observability.logs import configure_logs
from shared.pipeline.kafka import client_options
from shared.pipeline.process import run_process
from shared.pipeline.topics import ensure_topics, topic_name, transaction_name
from shared.pipeline.worker import run_stage
from shared.registry.clients import RegistryClients
from shared.settings import load_settings


async def run(stop: asyncio.Event) -> None:
    """Work repositories until `stop`."""
    settings = load_settings()
    configure_logs(settings.log_level)
    await ensure_topics(settings, [NAME])
    topic = ConnectionsTopic(
        options=client_options(settings),
        name=topic_name(settings, CONNECTION_CHANGED),
        transactional_id=transaction_name(settings, "connections"),
    )
    async with beating(settings.heartbeat), AsyncExitStack() as stack:
        connections = ConnectionsView(topic)
        await connections.start()
        stack.push_async_callback(connections.stop)
        clients = RegistryClients(settings)
        stack.push_async_callback(clients.close)
        access = RegistryAccess(connections, Secrets.of(settings), clients)
        await run_stage(tagger_stage(access, lambda: token_hex(8)), settings, stop)


if __name__ == "__main__":
    sys.exit(run_process(run))
