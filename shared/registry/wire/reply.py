"""An answer as it comes in: first its head, then its body, piece by piece."""

import asyncio
from collections.abc import Callable
from typing import Final

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from shared.registry.wire.headers import Headers, decoded

_MOST_HEAD: Final = 64 * 1024
"""Bytes of an answer's head: storage redirects carry long signatures."""

_HELD: Final = 256 * 1024
"""Bytes of a body that are held before no more is read off the socket."""

_SWITCHING: Final = 101
_FINAL: Final = 200


class Reply:
    """What comes back for one request.

    status, headers: once `head` has returned.  complete: whether the whole answer is there.
    keeps: whether the connection may be used again after it.  begun: whether anything came at all.

    `head` and `read` raise httpx.ReadTimeout, ReadError, RemoteProtocolError.
    """

    def __init__(self, *, of_head: bool, silence: float | None, pause: Callable[[bool], None]) -> None:
        """of_head: a HEAD was asked, so no body comes.  silence: the longest wait for more, seconds.

        pause: called with True when no more is to be read off the socket for now, with False when it is again.
        """
        self.status = 0
        self.headers = Headers()
        self.begun = self.complete = self.keeps = False
        self._of_head: Final = of_head
        self._silence: Final = silence
        self._pause: Final = pause
        self._parser: Final = HttpResponseParser(self)
        self._loop: Final = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._lines: list[tuple[str, str]] = []
        self._has_head = False
        self._head_bytes = 0
        self._pieces: list[bytes] = []
        self._held = 0
        self._is_paused = False
        self._error: httpx.TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None
        if silence is not None:
            self._timer = self._loop.call_later(silence, self._look)

    async def head(self) -> None:
        """Return when status and headers are there."""
        while not self._has_head:
            await self._more()

    async def read(self) -> bytes:
        """Return the next bytes of the body; b"" at its end."""
        while not self._pieces and not self.complete:
            await self._more()
        piece = b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        if self._is_paused:
            self._is_paused = False
            self._heard_at = self._loop.time()
            self._pause(False)
        return piece

    def feed(self, data: bytes) -> None:
        """Take bytes off the wire."""
        self.begun = True
        self._heard_at = self._loop.time()
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self.complete:  # else it belongs to no answer of ours: only the connection is spoilt
                self.fail(httpx.RemoteProtocolError(f"no HTTP/1.1: {type(error).__name__}"))
            self.keeps = False
        if not self._has_head and self._head_bytes > _MOST_HEAD:
            self.fail(httpx.RemoteProtocolError("the head is too long"))
        if self._held > _HELD and not self.complete:
            self._is_paused = True
            self._pause(True)
        self._wake()

    def ended(self, error: Exception | None) -> None:
        """The connection is closed."""
        self.keeps = False
        if self.complete:
            return
        if error is None and self._has_head and not {"content-length", "transfer-encoding"} & self.headers.keys():
            self.on_message_complete()  # the body's end is the connection's
        elif error is None or isinstance(error, ConnectionResetError):
            self.fail(httpx.RemoteProtocolError("closed before the answer was complete"), error)
        else:
            self.fail(httpx.ReadError(str(error)), error)
        self._wake()

    def fail(self, error: httpx.TransportError, cause: Exception | None = None) -> None:
        """Nothing more is read of it."""
        if self._error is None and not self.complete:
            error.__cause__ = cause
            self._error = error
            self._stop()
            self._wake()

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines.append((decoded(name), decoded(value)))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < _FINAL:
            self._lines.clear()
            return
        self.headers = Headers(self._lines)
        self._has_head = True
        if self._of_head:
            self.on_message_complete()

    def on_body(self, body: bytes) -> None:
        if self.complete:
            self.keeps = False  # after a HEAD
            return
        self._pieces.append(body)
        self._held += len(body)

    def on_message_complete(self) -> None:
        if self._has_head and not self.complete:
            self.complete, self.keeps = True, self._parser.should_keep_alive()
            self._stop()

    def on_message_begin(self) -> None:
        if self.complete:
            self.keeps = False  # an answer to nothing

    # Waiting.

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _look(self) -> None:
        """Look whether it has been silent for too long."""
        assert self._silence is not None
        now = self._loop.time()
        left = self._silence if self._is_paused else self._heard_at + self._silence - now
        if left <= 0:
            self.fail(httpx.ReadTimeout("timed out"))
        else:
            self._timer = self._loop.call_at(now + left, self._look)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
