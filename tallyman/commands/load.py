"""`tallyman load`: through the service that runs on the data folder, else with services of its own for the while."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, cast

from pydantic import SecretStr

from services.opening import connections_topic
from shared.connections.rules import ConnectionSettings
from shared.connections.secrets import Secrets
from shared.settings import Settings
from tallyman.door import Door
from tallyman.loading import EXIT_OF, Outcome
from tallyman.loading import load as load_registry
from tallyman.progress import progress_of
from tallyman.summary import print_summary
from tallyman.system import open_system, run_stages


def connection_settings(**given: Any) -> ConnectionSettings:
    """Return what of the connection was said on the command line."""
    return cast(ConnectionSettings, {name: value for name, value in given.items() if value is not None})


async def load(
    settings: Settings,
    host: str,
    wanted: ConnectionSettings,
    password: str | None,
    *,
    allow_empty: bool,
    as_json: bool,
) -> int:
    """Load a registry once, print how it went, and return 0 complete, 3 partial, 4 failed."""
    async with services_for(settings) as ready:
        outcome = await load_with_progress(ready, host, with_password(ready, wanted, password), allow_empty=allow_empty)
    if as_json:
        sys.stdout.write(json.dumps(asdict(outcome.loaded)) + "\n")
    else:
        print_summary(outcome, ready.data)
    return EXIT_OF[outcome.loaded.status]


def with_password(settings: Settings, wanted: ConnectionSettings, password: str | None) -> ConnectionSettings:
    """Return the settings with the password, encrypted, where there is one."""
    if password is None:
        return wanted
    return {**wanted, "password": Secrets.of(settings).encrypt(SecretStr(password))}


async def load_with_progress(
    settings: Settings, host: str, wanted: ConnectionSettings, *, allow_empty: bool
) -> Outcome:
    """Load a registry, with a live line of progress on a terminal."""
    with progress_of(host) as tell:
        return await load_registry(
            settings, connections_topic(settings), host, wanted, allow_empty=allow_empty, tell=tell
        )


@asynccontextmanager
async def services_for(settings: Settings) -> AsyncIterator[Settings]:
    """Yield settings that lead to running services: servers, the service on the data folder, or our own meanwhile."""
    if settings.kafka is not None:
        yield settings
    elif door := await Door.find(settings.data):
        yield settings.model_copy(update={"kafka": door.kafka})
    else:
        async with open_system(settings) as system:
            stop = asyncio.Event()
            stages = asyncio.create_task(run_stages(system, stop))
            try:
                yield system.settings
            finally:
                stop.set()
                await stages
