"""A small web server for fakes."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Middleware


@asynccontextmanager
async def serving(routes: Iterable[web.RouteDef], *middlewares: Middleware) -> AsyncIterator[str]:
    """Serve the routes on a free port of loopback; yield the address."""
    application = web.Application(middlewares=middlewares)
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
