"""One connection: requests go out and answers come in, one after another."""

import asyncio
from typing import Final, cast

import httpx

from shared.registry.wire.reply import Reply


class Connection(asyncio.Protocol):
    """idle_since: seconds by the loop's clock.  closed: done when the socket is closed."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.idle_since = loop.time()
        self.closed: Final[asyncio.Future[None]] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._reply: Reply | None = None
        self._writable: Final = asyncio.Event()
        self._writable.set()
        self._is_spoilt = False

    @property
    def is_open(self) -> bool:
        """Whether a request may be sent on it: nothing is under way, and nobody has closed it."""
        return self._transport is not None and not self._transport.is_closing() and not self._is_spoilt

    def send(self, head: bytes, body: bytes | None, *, of_head: bool, silence: float | None) -> Reply:
        """Write a request, in this tick as far as the socket takes it; return what comes back (see Reply)."""
        assert self._transport is not None
        self._is_spoilt = True  # until its answer is whole
        self._reply = Reply(of_head=of_head, silence=silence, pause=self._pause)
        self._transport.write(head + body if body else head)
        return self._reply

    async def written(self, timeout: float | None) -> None:
        """Return when the socket has taken what was sent. Raises httpx.WriteTimeout."""
        if self._writable.is_set():
            return
        try:
            async with asyncio.timeout(timeout):
                await self._writable.wait()
        except TimeoutError as error:
            raise httpx.WriteTimeout("timed out") from error

    def release(self) -> None:
        """The answer was read, or nobody wants it any more: keep the connection if that is possible, else close it."""
        if self._reply is not None and self._reply.keeps:
            self._reply = None
            self._is_spoilt = False
            self.idle_since = asyncio.get_running_loop().time()
        else:
            self.abort()

    def close(self) -> asyncio.Future[None]:
        """Close it; what is returned is done when it is closed."""
        if self._is_spoilt or self._is_tls:
            self.abort()  # with TLS, a peer that does not answer the farewell would keep it open for half a minute
        elif self._transport is not None:
            self._transport.close()
        return self.closed

    @property
    def _is_tls(self) -> bool:
        return self._transport is not None and self._transport.get_extra_info("sslcontext") is not None

    def abort(self) -> None:
        """Close it at once, whatever is under way."""
        self._is_spoilt = True
        if self._transport is not None:
            self._transport.abort()

    def _pause(self, paused: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if paused else self._transport.resume_reading)()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has that form, and not that class
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        if self._reply is None:
            self.abort()  # an answer to nothing
        else:
            self._reply.feed(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._is_spoilt = True
        self._writable.set()
        if self._reply is not None:
            self._reply.ended(error)
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
