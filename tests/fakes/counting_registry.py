"""A registry that counts: when each request arrived, by the kernel's stamp, and which connections were open.

It speaks plain Registry V2 behind a token service, as Distribution does; what it does not know is 404. Not asyncio's
streams: the stamps come with the packets, from recvmsg.
"""

import asyncio
import json
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.fakes.counting_content import Content, manifest, media_type

_SO_TIMESTAMPNS: Final = 35  # Linux, asm-generic/socket.h; Python does not name it
_TIMESPEC: Final = struct.Struct("qq")
_TOKEN: Final = json.dumps({"token": "t" * 64, "expires_in": 60}).encode()
_REASONS: Final = {
    200: "OK",
    401: "Unauthorized",
    404: "Not Found",
    429: "Too Many Requests",
    503: "Service Unavailable",
}

Line = dict[str, Any]
"""registry, event (request, open, close), connection (its number), at (ns since the epoch); path, of a request."""


@dataclass
class CountingServer:
    """One registry on a port of its own.

    tell: takes each line of the log.  answer_seconds: from a request to its answer.  breaks_every: so many requests
    bring one 503, 0 = none.  is_guarded: whether a token is asked for.  takes_rps: more than so many requests in a
    second are answered 429, 0 = any number.
    """

    name: str
    content: Content
    tell: Callable[[Line], None]
    answer_seconds: float = 0.01
    max_connections: int = 0
    breaks_every: int = 0
    is_guarded: bool = True
    takes_rps: int = 0
    requests: int = 0
    opened: int = 0
    asked: set[str] = field(default_factory=set)
    """The manifests that were asked for."""

    def __post_init__(self) -> None:
        self.began = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.setblocking(False)
        self._open: dict[socket.socket, int] = {}
        self.refused = 0
        self._next: tuple[int, list[str], bytes] | None = None
        self._lately: deque[float] = deque()
        self._loop.add_reader(self._listener, self._accept)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def left(self) -> int:
        """How many manifests nobody has asked for yet."""
        return self.content.images - len(self.asked)

    def refuse_next(self, status: int, *headers: str) -> None:
        """Answer the next request this."""
        self._next = status, list(headers), b""

    def close(self) -> None:
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for connection in tuple(self._open):
            self._drop(connection)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        if len(self._open) >= self.max_connections:
            self._drop_ended()  # closed before this one was opened, and not noticed yet
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":
            connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.opened += 1
        self._open[connection] = self.opened
        self._tell("open", self.opened, time.time_ns())
        self._loop.add_reader(connection, self._read, connection)

    def _drop_ended(self) -> None:
        for connection in tuple(self._open):
            try:
                if not connection.recv(1, socket.MSG_PEEK):
                    self._drop(connection)
            except BlockingIOError:
                continue
            except OSError:
                self._drop(connection)

    def _read(self, connection: socket.socket) -> None:
        try:
            data, notes, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(_TIMESPEC.size))
        except BlockingIOError:
            return
        except OSError:
            data, notes = b"", []
        if not data:
            self._drop(connection)
            return
        assert data.endswith(b"\r\n\r\n"), "a request comes in one piece"
        self.requests += 1
        path = data.split(b" ", 2)[1].split(b"?", 1)[0].decode()
        self._tell("request", self._open[connection], _stamp(notes), path=path)
        self._loop.call_later(self.answer_seconds, self._answer, connection, data)

    def _answer(self, connection: socket.socket, data: bytes) -> None:
        if connection not in self._open:
            return
        head = data.split(b"\r\n", 1)[0].decode()
        method, target, _ = head.split(" ")
        status, headers, body = self._answered(target, b"\r\nauthorization: bearer" in data.lower())
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Length: {len(body)}", *headers]
        try:
            connection.send("\r\n".join([*lines, "", ""]).encode() + (b"" if method == "HEAD" else body))
        except OSError:
            self._drop(connection)

    def _answered(self, target: str, is_signed_in: bool) -> tuple[int, list[str], bytes]:
        if self._next:
            answer, self._next = self._next, None
            return answer
        if self.takes_rps and self._is_too_much():
            self.refused += 1
            return 429, [], b""
        if self.breaks_every and self.requests % self.breaks_every == 0:
            return 503, [], b""
        parts = urlsplit(target)
        if parts.path == "/token":
            return 200, ["Content-Type: application/json"], _TOKEN
        if self.is_guarded and not is_signed_in:
            challenge = f'Bearer realm="{self.url}/token",service="counting"'
            return 401, [f"WWW-Authenticate: {challenge}", "Docker-Distribution-Api-Version: registry/2.0"], b"{}"
        return self._content(parts.path.strip("/").split("/"), parse_qs(parts.query))

    def _is_too_much(self) -> bool:
        now = self._loop.time()
        self._lately.append(now)
        while self._lately[0] < now - 1:
            self._lately.popleft()
        return len(self._lately) > self.takes_rps

    def _content(self, path: list[str], query: dict[str, list[str]]) -> tuple[int, list[str], bytes]:
        match path:
            case ["v2"]:
                return 200, ["Docker-Distribution-Api-Version: registry/2.0"], b"{}"
            case ["v2", "_catalog"]:
                return 200, ["Content-Type: application/json"], self.content.catalog()
            case ["v2", repository, "tags", "list"]:
                body, link = self.content.page(repository, query.get("last", [""])[0])
                return 200, ["Content-Type: application/json", *([f'Link: <{link}>; rel="next"'] if link else [])], body
            case ["v2", repository, "manifests", tag]:
                self.asked.add(f"{repository}:{tag}")
                self.began.set()
                body, digest = manifest(repository, tag)
                return 200, [f"Content-Type: {media_type()}", f"Docker-Content-Digest: {digest}"], body
            case ["v2", _, "blobs", _]:
                return 200, ["Content-Type: application/json"], self.content.config()
            case _:
                return 404, [], b"{}"

    def _drop(self, connection: socket.socket) -> None:
        self._tell("close", self._open.pop(connection), time.time_ns())
        self._loop.remove_reader(connection)
        connection.close()

    def _tell(self, event: str, connection: int, at: int, **more: str) -> None:
        self.tell({"registry": self.name, "event": event, "connection": connection, "at": at, **more})


def _stamp(notes: list[tuple[int, int, bytes]]) -> int:
    for _, _, data in notes:
        seconds, nanoseconds = _TIMESPEC.unpack(data)
        return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return time.time_ns()  # no stamps on this system: good enough where it is not busy


@contextmanager
def counting(answer_seconds: float = 0.0, *, max_connections: int = 1000) -> Iterator[tuple[str, list[Line]]]:
    """Run an open one with one image until the block ends; yield its address and the log of what it sees."""
    with counting_server(answer_seconds, max_connections=max_connections) as (server, lines):
        yield server.url, lines


@contextmanager
def counting_server(
    answer_seconds: float = 0.0, *, max_connections: int = 1000
) -> Iterator[tuple[CountingServer, list[Line]]]:
    """Run such a one; yield it and the log."""
    lines: list[Line] = []
    server = CountingServer(
        "counting", Content(1, 1), lines.append, answer_seconds, max_connections=max_connections, is_guarded=False
    )
    try:
        yield server, lines
    finally:
        server.close()


def arrivals(lines: Sequence[Line]) -> list[float]:
    """Return when the requests came, in seconds and in order."""
    return sorted(line["at"] / 1e9 for line in lines if line["event"] == "request")


def most_in_a_second(times: Sequence[float], second: float = 1.0) -> int:
    """Return the most of these in any closed window of one second.  times: in order.  second: in their unit."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] > second:
            first += 1
        most = max(most, last - first + 1)
    return most


def most_open(lines: Sequence[Line]) -> int:
    """Return the most connections that were open at once, in the order in which they came and went."""
    most = now = 0
    for line in lines:
        now += {"open": 1, "close": -1}.get(line["event"], 0)
        most = max(most, now)
    return most
