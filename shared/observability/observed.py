"""What every service does to be watched: logs, a heartbeat, numbers, traces."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.observability.heartbeat import beating
from shared.observability.logs import configure_logs
from shared.observability.numbers_served import numbers_served
from shared.observability.tracing import traces_exported
from shared.settings import Settings


@asynccontextmanager
async def observed(settings: Settings, service: str) -> AsyncIterator[None]:
    """Let the service be watched while the block runs, as the settings say. Raises SettingsError."""
    configure_logs(settings.log_level, settings.log_format)
    with numbers_served(settings.metrics), traces_exported(settings.otlp, service):
        async with beating(settings.heartbeat):
            yield
