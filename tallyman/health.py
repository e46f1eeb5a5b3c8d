"""Health and status over HTTP, for whoever watches the one-process form."""

from dataclasses import asdict
from typing import Final

from aiohttp import web

from tallyman.system import System

_SYSTEM: Final = web.AppKey("system", System)


def health_application(system: System) -> web.Application:
    """Return the application that `--listen` serves: `/health` and `/status`."""
    application = web.Application()
    application[_SYSTEM] = system
    application.router.add_get("/health", _health)
    application.router.add_get("/status", _status)
    return application


async def _health(request: web.Request) -> web.Response:
    """Answer 200 while the event loop turns and the store answers."""
    await request.app[_SYSTEM].store.query("SELECT 1")
    return web.json_response({"status": "ok"})


async def _status(request: web.Request) -> web.Response:
    system = request.app[_SYSTEM]
    connections = [
        {"name": connection.name, "host": connection.host, "is_active": connection.is_active}
        for connection, _ in system.installation.connections.all()
    ]
    return web.json_response(
        {"stages": {name: asdict(stats) for name, stats in system.stats.items()}, "connections": connections}
    )
