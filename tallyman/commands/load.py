"""`tallyman load`: through the service that runs on the data folder, else with services of its own for the while."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final, cast

from pydantic import SecretStr

from services.opening import connections_topic
from shared.connections.rules import ConnectionSettings
from shared.connections.secrets import Secrets
from shared.errors import TallymanError
from shared.settings import Settings
from tallyman.door import Door
from tallyman.loading import EXIT_OF, Outcome
from tallyman.loading import load as load_registry
from tallyman.progress import progress_of
from tallyman.summary import print_summary

_UNSET_BY_NONE: Final = frozenset({"ca", "newest_tags"})


class ServicesEnded(TallymanError):  # says what has happened
    """The services stopped while the scan ran."""

    def __init__(self) -> None:
        super().__init__(
            "The service on the data folder stopped before the scan ended. The scan goes on when it runs again: see "
            "`tallyman scans` then.",
            reason="services_ended",
        )


def connection_settings(**given: Any) -> ConnectionSettings:
    """Return what of the connection was said on the command line; None takes an earlier `ca` or `newest_tags` away."""
    said = {name: value for name, value in given.items() if value is not None or name in _UNSET_BY_NONE}
    return cast(ConnectionSettings, said)


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
    async with services_for(settings) as (ready, ended):
        loading = load_with_progress(ready, host, with_password(ready, wanted, password), allow_empty=allow_empty)
        outcome = await _while_served(loading, ended)
    if as_json:
        sys.stdout.write(json.dumps(asdict(outcome.loaded)) + "\n")
        sys.stderr.writelines(f"tallyman: {sentence}\n" for sentence in outcome.failures)
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
async def services_for(settings: Settings) -> AsyncIterator[tuple[Settings, asyncio.Future[None]]]:
    """Yield settings that lead to running services, and what is done, or fails, when they serve no more.

    They are servers, or the service that has the data folder, or our own, which run until the block ends.
    """
    if settings.kafka is not None:
        yield settings, asyncio.get_running_loop().create_future()  # the scan waits for servers that come back
    elif door := await Door.find(settings.data):
        async with _watched(door) as ended:
            yield settings.model_copy(update={"kafka": door.kafka}), ended
    else:
        from tallyman.system import open_system, run_stages  # engine and stages: a second, where no service runs

        async with open_system(settings) as system:
            stop = asyncio.Event()
            stages = asyncio.create_task(run_stages(system, stop))
            try:
                yield system.settings, stages
            finally:
                stop.set()
                await stages


@asynccontextmanager
async def _watched(door: Door) -> AsyncIterator[asyncio.Task[None]]:
    watch = asyncio.create_task(door.closed())
    try:
        yield watch
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _while_served(loading: Coroutine[Any, Any, Outcome], ended: asyncio.Future[None]) -> Outcome:
    """Return how the load went. Raises what ended the services, or ServicesEnded, where they end before it."""
    work = asyncio.create_task(loading)
    try:
        await asyncio.wait((work, ended), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        ended.result()
        raise ServicesEnded
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
