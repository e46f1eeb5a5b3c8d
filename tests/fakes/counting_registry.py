"""A registry that only counts: when each request arrived, by the kernel's stamp, not when Python got round to it.

On a busy machine a process may stand still for longer than the window rule forgives; the packets arrive all the same.
"""

import asyncio
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_SO_TIMESTAMPNS = 35  # Linux, asm-generic/socket.h; Python does not name it
_TIMESPEC = struct.Struct("qq")
_BODY = b'{"name":"a","tags":["1"]}'
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


class CountingRegistry:
    """Gives every request one page of tags, `answer_seconds` after it came.  arrivals: seconds, one a request."""

    def __init__(self, listener: socket.socket, answer_seconds: float) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.arrivals: list[float] = []
        self._listener = listener
        self._answer_seconds = answer_seconds
        self._loop = asyncio.get_running_loop()
        self._open: set[socket.socket] = set()
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._listener)
        for connection in tuple(self._open):
            self._drop(connection)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        if sys.platform == "linux":
            connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._open.add(connection)
        self._loop.add_reader(connection, self._read, connection)

    def _read(self, connection: socket.socket) -> None:
        try:
            data, notes, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(_TIMESPEC.size))
        except OSError:
            data, notes = b"", []
        if not data:
            self._drop(connection)
            return
        assert data.endswith(b"\r\n\r\n"), "a request comes in one piece"
        self.arrivals.append(_stamp(notes))
        self._loop.call_later(self._answer_seconds, self._answer, connection)

    def _answer(self, connection: socket.socket) -> None:
        if connection in self._open:
            connection.send(_ANSWER)

    def _drop(self, connection: socket.socket) -> None:
        self._loop.remove_reader(connection)
        self._open.discard(connection)
        connection.close()


@asynccontextmanager
async def counting_registry(answer_seconds: float) -> AsyncIterator[CountingRegistry]:
    """Run one on a free loopback port until the block ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        listener.setblocking(False)
        registry = CountingRegistry(listener, answer_seconds)
        try:
            yield registry
        finally:
            registry.close()


def _stamp(notes: list[tuple[int, int, bytes]]) -> float:
    for _, _, data in notes:
        seconds, nanoseconds = _TIMESPEC.unpack(data)
        return float(seconds) + nanoseconds / 1e9
    return time.time()  # no stamps on this system: good enough where it is not busy
