"""A registry of its own for each test, and topics of its own."""

import pytest

from shared.settings import Settings
from tests.integration.sink.working import Estate


@pytest.fixture
def estate(registry_id: str) -> Estate:
    return Estate(registry_id)


@pytest.fixture
def settings(fresh_topics: Settings) -> Settings:
    """The settings of this test, its topics made; a stop or a takeover does not wait long."""
    return fresh_topics.model_copy(update={"drain_seconds": 1.0})
