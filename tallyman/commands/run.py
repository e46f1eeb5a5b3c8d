"""`tallyman run`: all services in this process until stopped."""

import asyncio
import re
import signal
import sys
from contextlib import AsyncExitStack
from typing import Final

from services.console.service import console_served, office_of
from services.console.serving import address_of
from shared.connections.rules import ConnectionSettings
from shared.errors import SettingsError
from shared.observability.tracing import traces_exported
from shared.settings import Settings, load_settings
from tallyman.commands.load import connection_settings, load_with_progress, with_password
from tallyman.doorkeeper import open_door
from tallyman.loading import EXIT_OF
from tallyman.sample import sample_registry
from tallyman.summary import print_summary
from tallyman.system import System, open_system, run_stages

SAMPLE = "sample"
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}")


async def run(settings: Settings, listen: str | None, load: str | None, *, once: bool) -> int:
    """Run until stopped, after a load if one is asked for; return 0, or the load's exit code with `once`."""
    if once and not load:
        raise SettingsError("--once stops after a load: say which with --load sample or --load HOST.")
    if listen is not None and not _ADDRESS.fullmatch(listen):
        raise SettingsError(f"--listen {listen}: give HOST:PORT, as 127.0.0.1:8321.")
    if listen is not None:
        settings = load_settings(data=settings.data, console=listen)
    address_of(settings)  # before anything is started
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _tell("Starting the broker and the store …")
    async with AsyncExitStack() as stack:
        stack.enter_context(traces_exported(settings.otlp, "tallyman"))
        system = await stack.enter_async_context(open_system(settings))
        office = office_of(system.installation, system.store)
        await stack.enter_async_context(open_door(office))
        url = ""
        if not once:
            address, made = await stack.enter_async_context(console_served(office))
            url = address.url
            _greet(url, made)
        return await _work(system, stop, load, url, once=once)


async def _work(system: System, stop: asyncio.Event, load: str | None, url: str, *, once: bool) -> int:
    """Run the stages, and the load beside them, until stopped or a stage fails."""
    stages = asyncio.create_task(run_stages(system, stop, triggers=not once))
    waiting = asyncio.create_task(stop.wait())
    main = asyncio.create_task(_load_and_serve(system, stop, load, url, once=once))
    try:
        await asyncio.wait((stages, waiting, main), return_when=asyncio.FIRST_COMPLETED)
        if stages.done():
            stages.result()
        return main.result() if main.done() else 0
    finally:
        stop.set()
        for task in (waiting, main):
            task.cancel()
        await asyncio.gather(waiting, main, return_exceptions=True)
        await stages


async def _load_and_serve(system: System, stop: asyncio.Event, load: str | None, url: str, *, once: bool) -> int:
    async with AsyncExitStack() as stack:
        code = 0
        if load:
            code = await _load(system, stack, load)
            if once:
                return code
        _tell(f"\nServing. Look around and connect a registry of yours at {url} - Ctrl-C stops it.")
        await stop.wait()
    return 0


async def _load(system: System, stack: AsyncExitStack, load: str) -> int:
    settings = system.settings
    wanted: ConnectionSettings = {}
    password = None
    if load == SAMPLE:
        host = await stack.enter_async_context(sample_registry())
        wanted = connection_settings(name=SAMPLE, host=host, max_rps=1000)
        _tell(f"Loading the bundled sample registry at {host} …")
    else:
        host = load
        wanted = connection_settings(username=settings.username)
        password = settings.password.get_secret_value() if settings.password else None
        _tell(f"Loading {host} …")
    target = SAMPLE if load == SAMPLE else host
    outcome = await load_with_progress(settings, target, with_password(settings, wanted, password), allow_empty=False)
    print_summary(outcome, settings.data)
    return EXIT_OF[outcome.loaded.status]


def _greet(url: str, made: str | None) -> None:
    _tell(f"Console:  {url}")
    if made:
        _tell(f"Password: {made}   (shown this once; TALLYMAN_ADMIN_PASSWORD sets another)")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
