"""A replaced password leaves the topic: on a real broker, with its real cleaner."""

import asyncio
from functools import partial

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.connections.rules import edited_connection, new_connection
from shared.connections.secrets import EncryptedSecret
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.ticking import TICK_AFTER_SECONDS, keep_ticking
from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.connections.writer import save
from shared.messages.connection_changed import Connection
from shared.messages.topics import CONNECTION_CHANGED
from shared.pipeline.topics import new_topic
from shared.settings import Settings
from tests.integration.connections.topic_contents import bytes_in

CLEANED_SECONDS = 60
"""The broker's cleaner looks every 15 s."""


def made(snapshot: ConnectionsSnapshot) -> Connection:
    password = EncryptedSecret("the-old-ciphertext")
    return new_connection(snapshot, "registryone", 4, {"host": "https://r.example.com", "password": password})


def edited(snapshot: ConnectionsSnapshot) -> Connection:
    return edited_connection(snapshot, "registryone", 1, {"password": EncryptedSecret("the-new-ciphertext")})


async def test_an_old_ciphertext_leaves_the_topic_once_a_tick_has_closed_its_segment(
    topic: ConnectionsTopic, view: ConnectionsView
) -> None:
    """The topic's times are shortened from minutes to seconds; what has to happen is the same."""
    configs = {"cleanup.policy": "compact", "segment.ms": "1000", "max.compaction.lag.ms": "1000"}
    configs |= {"min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "1000"}
    admin = AIOKafkaAdminClient(**topic.options)
    await admin.start()
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=configs)])
    await admin.close()
    await save(topic, partial(made))
    await save(topic, partial(edited))
    assert b"the-old-ciphertext" in await bytes_in(topic)
    ticking = asyncio.create_task(keep_ticking(topic, view.now, after_seconds=1.5))
    try:
        async with asyncio.timeout(CLEANED_SECONDS):
            while b"the-old-ciphertext" in await bytes_in(topic):  # noqa: ASYNC110  # the broker tells nobody
                await asyncio.sleep(0.5)
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
    assert b"the-new-ciphertext" in await bytes_in(topic)
    assert (await view.seen(0)).connection("registryone") is not None


def test_the_topic_is_made_so_that_its_segments_close_and_are_compacted_within_an_hour() -> None:
    configs = new_topic(Settings(), CONNECTION_CHANGED).topic_configs
    segment, lag = int(configs["segment.ms"]) / 1000, int(configs["max.compaction.lag.ms"]) / 1000
    assert segment < TICK_AFTER_SECONDS, "a tick must find the segment old enough to be closed"
    assert TICK_AFTER_SECONDS + lag + 5 * 60 < 3600
