"""A real broker for the session, and settings by which each test has topics of its own on it."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.pipeline.broker import EmbeddedBroker
from shared.pipeline.topics import ensure_topics
from shared.settings import Settings

PARTITIONS = 4
STAGES = ("lister", "tagger", "manifester", "sink")


@pytest_asyncio.fixture(scope="session")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The broker's address, host:port."""
    broker = EmbeddedBroker(tmp_path_factory.mktemp("broker"))
    yield await broker.start()
    await broker.stop()


def settings_for(kafka: str, data: Path, **changes: object) -> Settings:
    """Settings as the composition root makes them once the embedded broker runs."""
    return Settings().model_copy(update={"kafka": kafka, "data": data, "partitions": PARTITIONS, **changes})


@pytest.fixture
def kafka_settings(kafka: str, tmp_path: Path) -> Settings:
    """Settings for the broker; topics, groups and transactional ids are this test's own by their prefix."""
    return settings_for(kafka, tmp_path, topic_prefix=f"t{secrets.token_hex(4)}.")


@pytest_asyncio.fixture
async def fresh_topics(kafka_settings: Settings) -> Settings:
    """The settings of `kafka_settings`, with all topics made."""
    await ensure_topics(kafka_settings, STAGES)
    return kafka_settings


@pytest_asyncio.fixture
async def trigger_settings(kafka_settings: Settings) -> Settings:
    """The settings of `kafka_settings`, with all topics made, those of the trigger's dead letters, too."""
    await ensure_topics(kafka_settings, ("trigger", "deliverer"))
    return kafka_settings.model_copy(update={"triggers_per_second": 1000.0})
