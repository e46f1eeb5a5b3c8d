"""A topic of its own for each test, on the real broker."""

from collections.abc import AsyncIterator

import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient

from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.messages.topics import CONNECTION_CHANGED
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import new_topic, topic_name, transaction_name
from shared.settings import Settings


@pytest_asyncio.fixture
async def topic(kafka_settings: Settings) -> ConnectionsTopic:
    options = client_options(kafka_settings)
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    await admin.create_topics([new_topic(kafka_settings, CONNECTION_CHANGED)])
    await admin.close()
    return ConnectionsTopic(
        options, topic_name(kafka_settings, CONNECTION_CHANGED), transaction_name(kafka_settings, "connections")
    )


@pytest_asyncio.fixture
async def view(topic: ConnectionsTopic) -> AsyncIterator[ConnectionsView]:
    view = ConnectionsView(topic)
    await view.start()
    yield view
    await view.stop()
