"""The console of an open installation: by its own process, and by the one-process form."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from services.console.application import console_application
from services.console.doors.passwords import ensure_password
from services.console.office import Office
from services.console.people import People
from services.console.serving import Address, address_of, serving
from services.opening import Opened
from shared.connections.ticking import keep_ticking
from shared.store.store import Store


def office_of(installation: Opened, store: Store) -> Office:
    """Return the office."""
    return Office(
        installation.settings,
        installation.topic,
        installation.connections,
        installation.secrets,
        store,
        installation.budgets,
        lambda: datetime.now(UTC),
    )


@asynccontextmanager
async def console_served(office: Office) -> AsyncIterator[tuple[Address, str | None]]:
    """Serve the console while the block runs; yield where, and the password where one was made up just now.

    Raises SettingsError where it cannot listen, TransientError where Kafka is down.
    """
    office.budgets.needed.set()  # it listens to what others tell of the registries
    address = address_of(office.settings)
    made = await ensure_password(office.topic, office.settings.admin_password, office.clock)
    application = console_application(office, People(office), address.hosts)
    ticking = asyncio.create_task(keep_ticking(office.topic, office.connections.now), name="ticking")
    try:
        async with serving(application, office.settings, address):
            yield address, made
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
