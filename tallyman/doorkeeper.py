"""The inner side of a running service's door: HTTP on a Unix socket in the data folder.

Only the user whom the folder belongs to can come in; what is asked is read-only all the same.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from shared.errors import TallymanError
from shared.store.store import Store
from tallyman.door import SOCKET
from tallyman.output import plain
from tallyman.system import System

_STORE: Final = web.AppKey("store", Store)
_KAFKA: Final = web.AppKey("kafka", str)
_ROWS_A_WRITE: Final = 500


def door_application(system: System) -> web.Application:
    """Return the application behind the door."""
    application = web.Application(client_max_size=1024 * 1024)
    application[_STORE] = system.store
    application[_KAFKA] = system.settings.kafka or ""
    application.router.add_get("/status", _status)
    application.router.add_post("/select", _select)
    return application


@asynccontextmanager
async def open_door(system: System) -> AsyncIterator[None]:
    """Serve the door while the block runs."""
    path = system.settings.data / SOCKET
    path.unlink(missing_ok=True)  # of a run that was killed; the data folder's lock is ours
    runner = web.AppRunner(door_application(system), access_log=None)
    await runner.setup()
    try:
        before = os.umask(0o177)
        try:
            await web.UnixSite(runner, str(path)).start()
        finally:
            os.umask(before)
        yield
    finally:
        await runner.cleanup()
        path.unlink(missing_ok=True)


async def _status(request: web.Request) -> web.Response:
    return web.json_response({"kafka": request.app[_KAFKA]})


async def _select(request: web.Request) -> web.StreamResponse:
    """Answer a read-only statement as JSON lines: the columns, then each row, then {"end": rows} or {"error": …}."""
    statement = (await request.json())["sql"]
    response = web.StreamResponse(headers={"content-type": "application/x-ndjson"})
    await response.prepare(request)
    count, lines = 0, []
    try:
        async with request.app[_STORE].select(statement) as selection:
            lines.append(json.dumps({"columns": selection.columns}))
            async for row in selection.rows:
                lines.append(json.dumps([plain(value) for value in row]))
                count += 1
                if len(lines) >= _ROWS_A_WRITE:
                    await response.write(("\n".join(lines) + "\n").encode())
                    lines.clear()
        lines.append(json.dumps({"end": count}))
    except TallymanError as error:
        lines.append(json.dumps({"error": str(error), "reason": error.reason}))
    await response.write(("\n".join(lines) + "\n").encode())
    return response
