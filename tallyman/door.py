"""The door of a running service: HTTP on a Unix socket in the data folder, for this user's commands alone.

The store belongs to one process; while a service has it, commands ask through here.
"""

import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from shared.errors import PermanentError, TallymanError
from shared.store.store import Store
from tallyman.output import plain
from tallyman.system import System

SOCKET: Final = "tallyman.sock"
_STORE: Final = web.AppKey("store", Store)
_KAFKA: Final = web.AppKey("kafka", str)
_ROWS_A_WRITE: Final = 500


class DoorRefused(PermanentError):  # says what has happened
    """The running service refused a question, with its own sentence."""


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


class Door:
    """The other side: a service that runs on the same data folder."""

    def __init__(self, path: Path, kafka: str) -> None:
        self._path: Final = path
        self.kafka: Final = kafka

    @classmethod
    async def find(cls, data: Path) -> "Door | None":
        """Return the door of the service that runs on `data`, None where none does."""
        path = data / SOCKET
        if not path.is_socket():
            return None
        try:
            async with _session(path) as session, session.get("http://door/status") as answer:
                return cls(path, (await answer.json())["kafka"])
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError):
            return None  # left by a run that was killed

    @asynccontextmanager
    async def select(self, sql: str) -> AsyncIterator[tuple[Sequence[str], AsyncIterator[Sequence[Any]]]]:
        """Yield columns and rows of a read-only statement. Raises DoorRefused."""
        async with _session(self._path) as session, session.post("http://door/select", json={"sql": sql}) as answer:
            head = json.loads(await answer.content.readuntil(b"\n"))
            _refuse(head)
            yield head["columns"], _rows(answer)


async def _rows(answer: aiohttp.ClientResponse) -> AsyncIterator[Sequence[Any]]:
    while True:
        line = json.loads(await answer.content.readuntil(b"\n"))
        if isinstance(line, list):
            yield line
            continue
        _refuse(line)
        return


def _refuse(line: dict[str, Any]) -> None:
    if "error" in line:
        raise DoorRefused(line["error"], reason=line["reason"])


def _session(path: Path) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(str(path)),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        read_bufsize=64 * 1024 * 1024,
    )
