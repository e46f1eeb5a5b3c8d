"""A registry that misbehaves as told, on a real socket: each path answers from a script, other paths loudly."""

import asyncio
import base64
import hashlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

_UNKNOWN = 599
_CLOSED_SECONDS = 5.0


@dataclass(frozen=True)
class Seen:
    """A request as it came in. at: monotonic seconds. headers: names in lower case."""

    at: float
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")

    @property
    def basic(self) -> str | None:
        """User name and password of a Basic header, with a colon between them."""
        scheme, _, value = (self.authorization or "").partition(" ")
        return base64.b64decode(value).decode() if scheme == "Basic" else None


@dataclass(frozen=True)
class Reply:
    """An answer.

    wait_seconds: before it.  drip_seconds: between the bytes of its body.  cut: bytes of the body after which the
    connection is closed.  raw: sent instead of everything else; b"" closes the connection.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Sequence[tuple[str, str]] = ()
    wait_seconds: float = 0
    drip_seconds: float = 0
    cut: int | None = None
    raw: bytes | None = None

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} X", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


Script = Reply | Sequence[Reply] | Callable[[Seen], Reply]


def reply_json(document: Any, status: int = 200, *headers: tuple[str, str]) -> Reply:
    """Return an answer with a JSON body."""
    return Reply(status, json.dumps(document).encode(), (("Content-Type", "application/json"), *headers))


def reply_error(status: int, code: str) -> Reply:
    """Return an answer with a registry's error JSON."""
    return reply_json({"errors": [{"code": code, "message": "told by the fake", "detail": None}]}, status)


def reply_challenge(*challenges: str) -> Reply:
    """Return a 401 with these WWW-Authenticate headers."""
    return Reply(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', tuple(("WWW-Authenticate", text) for text in challenges))


def reply_manifest(body: bytes, digest: str | None = None) -> Reply:
    """Return a manifest with its digest header, or another one."""
    told = digest or "sha256:" + hashlib.sha256(body).hexdigest()
    media_type = "application/vnd.oci.image.manifest.v1+json"
    return Reply(200, body, (("Content-Type", media_type), ("Docker-Content-Digest", told)))


@dataclass
class HostileRegistry:
    """A running fake.

    scripts: path to what it answers; of a sequence each request takes one, the last stays.  seen: all requests.
    connections: open now.  most_connections: open at once so far.  made: ever.
    """

    url: str = ""
    scripts: dict[str, Script] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    unknown: list[Seen] = field(default_factory=list)
    connections: int = 0
    most_connections: int = 0
    made: int = 0

    def requests(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]

    async def all_closed(self) -> None:
        """Wait until no connection is open. Raises TimeoutError."""
        async with asyncio.timeout(_CLOSED_SECONDS):
            while self.connections:  # noqa: ASYNC110  # a count, not one event
                await asyncio.sleep(0.02)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        self.made += 1
        self.most_connections = max(self.most_connections, self.connections)
        try:
            while await self._serve(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client is gone
        finally:
            self.connections -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        seen = _seen(head)
        self.seen.append(seen)
        reply = self._reply(seen)
        if reply.wait_seconds:
            await asyncio.sleep(reply.wait_seconds)
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            return False
        writer.write(reply.head())
        if seen.method != "HEAD":
            await _send_body(writer, reply)
        return reply.cut is None and seen.headers.get("connection") != "close"

    def _reply(self, seen: Seen) -> Reply:
        script = self.scripts.get(seen.path)
        if script is None:
            self.unknown.append(seen)
            return Reply(_UNKNOWN, b"the fake has no script for this path")
        if isinstance(script, Reply):
            return script
        if callable(script):
            return script(seen)
        if len(script) > 1:
            self.scripts[seen.path] = script[1:]
        return script[0]


@asynccontextmanager
async def hostile_registry(tls: ssl.SSLContext | None = None) -> AsyncIterator[HostileRegistry]:
    """Run a fake on a free loopback port until the block ends. Requests it had no script for fail the test."""
    fake = HostileRegistry()
    server = await asyncio.start_server(fake.connected, "127.0.0.1", 0, ssl=tls)
    fake.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.close()
        await server.wait_closed()
    assert not fake.unknown, f"asked for what it has no script for: {[seen.path for seen in fake.unknown]}"


async def _send_body(writer: asyncio.StreamWriter, reply: Reply) -> None:
    body = reply.body if reply.cut is None else reply.body[: reply.cut]
    if not reply.drip_seconds:
        writer.write(body)
        await writer.drain()
        return
    for byte in body:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(reply.drip_seconds)


def _seen(head: str) -> Seen:
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    return Seen(time.monotonic(), method, parts.path, parse_qs(parts.query, keep_blank_values=True), headers)
