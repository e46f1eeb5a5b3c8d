"""`tallyman run`: all services in this process until stopped."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from shared.connections.rules import ConnectionSettings
from shared.errors import SettingsError
from shared.settings import Settings
from tallyman.commands.load import connection_settings, load_with_progress, with_password
from tallyman.doorkeeper import open_door
from tallyman.health import health_application
from tallyman.loading import EXIT_OF
from tallyman.sample import sample_registry
from tallyman.summary import print_summary
from tallyman.system import System, open_system, run_stages

SAMPLE = "sample"


async def run(settings: Settings, listen: str | None, load: str | None, *, once: bool) -> int:
    """Run until stopped, after a load if one is asked for; return 0, or the load's exit code with `once`."""
    if once and not load:
        raise SettingsError("--once stops after a load: say which with --load sample or --load HOST.")
    address = address_of(listen)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _tell("Starting the broker and the store …")
    async with AsyncExitStack() as stack:
        system = await stack.enter_async_context(open_system(settings))
        await stack.enter_async_context(open_door(system))
        if address:
            await stack.enter_async_context(_listening(system, *address))
        return await _work(system, stop, load, once=once)


async def _work(system: System, stop: asyncio.Event, load: str | None, *, once: bool) -> int:
    """Run the stages, and the load beside them, until stopped or a stage fails."""
    stages = asyncio.create_task(run_stages(system, stop))
    waiting = asyncio.create_task(stop.wait())
    main = asyncio.create_task(_load_and_serve(system, stop, load, once=once))
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


async def _load_and_serve(system: System, stop: asyncio.Event, load: str | None, *, once: bool) -> int:
    async with AsyncExitStack() as stack:
        code = 0
        if load:
            code = await _load(system, stack, load)
            if once:
                return code
        _tell("\nServing. Ctrl-C stops it; another terminal can ask meanwhile.")
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


@asynccontextmanager
async def _listening(system: System, host: str, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(health_application(system), access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise SettingsError(f"--listen {host}:{port}: cannot listen there ({error.strerror}).") from error
        _tell(f"Health and status at http://{host}:{port}/status")
        yield
    finally:
        await runner.cleanup()


def address_of(listen: str | None) -> tuple[str, int] | None:
    if listen is None:
        return None
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingsError(f"--listen {listen}: give HOST:PORT, as 127.0.0.1:8080.")
    return host.strip("[]"), int(port)


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
