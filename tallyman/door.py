"""The outer side of a running service's door: how commands ask it.

The store belongs to one process; while a service has it, commands ask through here.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from shared.errors import PermanentError

SOCKET: Final = "tallyman.sock"
_LOOK_SECONDS: Final = 1.0


class DoorRefused(PermanentError):  # says what has happened
    """The running service refused a question, with its own sentence."""


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
            async with _session(path) as session, session.get("http://door/door/status") as answer:
                return cls(path, (await answer.json())["kafka"])
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError):
            return None  # left by a run that was killed

    async def closed(self) -> None:
        """Return when the service has stopped."""
        async with _session(self._path) as session:
            try:
                while True:
                    async with session.get("http://door/door/status"):
                        await asyncio.sleep(_LOOK_SECONDS)
            except aiohttp.ClientError:
                return

    @asynccontextmanager
    async def select(self, sql: str) -> AsyncIterator[tuple[Sequence[str], AsyncIterator[Sequence[Any]]]]:
        """Yield columns and rows of a read-only statement. Raises DoorRefused."""
        async with (
            _session(self._path) as session,
            session.post("http://door/door/select", json={"sql": sql}) as answer,
        ):
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
