"""httpx over aiohttp: one request on a socket, every setting of the connection held.

Why our own (README Decisions): httpx's own transport costs several times the CPU, and the published bridge to
aiohttp ignores the keepalive limit and tells a refused connection from a full pool by no class.

In order, a request waits for its turn (no time limit, no connection held), for a connection (pool timeout),
for DNS, TCP and TLS (connect timeout), for the window (no time limit), and is written in that same tick.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Final

import aiohttp
import httpx
from yarl import URL

from shared.registry.budget import Budget
from shared.registry.meter import count_request
from shared.registry.pool import Line, Pool
from shared.registry.resolver import CheckedResolver, check_host
from shared.registry.window import Slot

_MAX_LINE: Final = 16 * 1024
"""Bytes of one header line: storage redirects carry long signatures."""

_ERRORS: Final[tuple[tuple[type[Exception], type[httpx.TransportError]], ...]] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientConnectionError, httpx.ReadError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ClientError, httpx.LocalProtocolError),
)
"""What aiohttp raises and what httpx calls it; the first that fits."""


class RegistryTransport(httpx.AsyncBaseTransport):
    """One registry's connections.

    limits: how many are kept idle, of each host (registry, token service, storage), and for how long; how many may be
    open is the budget's to say.
    """

    def __init__(self, limits: httpx.Limits, tls: ssl.SSLContext, budget: Budget) -> None:
        self._budget: Final = budget
        expiry, resolver = limits.keepalive_expiry or 0, CheckedResolver()
        self._pool: Final = Pool(
            budget.permits,
            limits.max_keepalive_connections or 0,
            expiry,
            lambda: _Client(tls, resolver, expiry),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, its body still to be read. Raises httpx.TransportError, AddressRefused."""
        check_host(request.url.host)
        timeouts: dict[str, float | None] = request.extensions["timeout"]
        url = URL(str(request.url), encoded=True)
        await self._budget.pace()
        line = await self._line(timeouts.get("pool"))
        exchange = _Exchange(self._budget, timeouts)
        try:
            answer = await exchange.run(line.session.http, request, url)
        except BaseException:
            exchange.over()
            line.leave()
            raise
        body = _Body(answer, exchange, line)
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=body, request=request)

    async def aclose(self) -> None:
        await self._pool.close()

    async def _line(self, timeout: float | None) -> "Line[_Client]":
        try:
            async with asyncio.timeout(timeout):
                return await self._pool.enter()
        except TimeoutError as error:
            raise httpx.PoolTimeout("no connection became free") from error


class _Client:
    """A line's own client: one request at a time, so at most one connection to each host."""

    def __init__(self, tls: ssl.SSLContext, resolver: CheckedResolver, expiry: float) -> None:
        self._connector: Final = aiohttp.TCPConnector(
            limit=0, ssl=tls, resolver=resolver, keepalive_timeout=expiry or None, force_close=not expiry
        )
        self.http: Final = _session(self._connector)

    def close(self) -> "asyncio.Future[None]":
        return asyncio.ensure_future(self._close())

    async def _close(self) -> None:
        await self._connector.close(abort_ssl=True)


class _Exchange:
    """One request, from connecting to the answer's headers; aiohttp's tracing calls tell where it is."""

    def __init__(self, budget: Budget, timeouts: dict[str, float | None]) -> None:
        self._budget = budget
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._deadline = asyncio.timeout(None)
        self._expired: type[httpx.TransportError] = httpx.ConnectTimeout
        self._slot: Slot | None = None
        self._connection_is_new = False
        self._was_sent_on_new = False

    async def run(self, session: aiohttp.ClientSession, request: httpx.Request, url: URL) -> aiohttp.ClientResponse:
        """Return the answer at its headers."""
        with _as_httpx(self):
            async with self._deadline:
                answer = await session.request(
                    request.method,
                    url,
                    headers=_headers(request),
                    data=self._written_in_time(request) if _has_body(request) else None,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(sock_read=self._timeouts.get("read")),
                    trace_request_ctx=self,
                )
        if self._slot:
            self._budget.answered(self._slot)
        return answer

    def over(self) -> None:
        """The request is over, whatever came of it."""
        if self._slot:
            self._slot = None
            self._budget.ended()

    def connecting(self) -> None:
        """DNS, TCP and TLS begin: the connect timeout runs."""
        self._allow_another_try()
        self._limit(self._timeouts.get("connect"), httpx.ConnectTimeout)

    def connected(self) -> None:
        self._connection_is_new = True
        self._limit(None, httpx.ConnectTimeout)

    async def before_write(self) -> None:
        """Wait for the window; the caller writes in the tick this returns in."""
        self._allow_another_try()
        self.over()  # a try on a kept connection that turned out to be closed
        slot = self._slot = await self._budget.admit()
        self._was_sent_on_new = self._connection_is_new
        # Stamped a loop turn later: should the process be stopped right here, the stamp is late, never early.
        self._loop.call_soon(self._budget.written, slot)
        count_request()

    @property
    def expired(self) -> type[httpx.TransportError]:
        """What it means that the deadline passed."""
        return self._expired

    def _allow_another_try(self) -> None:
        """Let aiohttp send again only where a kept connection turned out to be closed; all else is ours to retry."""
        if self._was_sent_on_new:
            raise aiohttp.ServerDisconnectedError

    def _limit(self, seconds: float | None, expired: type[httpx.TransportError]) -> None:
        self._expired = expired
        self._deadline.reschedule(None if seconds is None else self._loop.time() + seconds)

    async def _written_in_time(self, request: httpx.Request) -> AsyncIterator[bytes]:
        """Yield the body; aiohttp asks for more once the last piece fitted into the socket's buffer."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for chunk in request.stream:
            self._limit(self._timeouts.get("write"), httpx.WriteTimeout)
            yield chunk
        self._limit(None, httpx.WriteTimeout)


class _Body(httpx.AsyncByteStream):
    """The answer's body; closing it gives the connection back."""

    def __init__(self, answer: aiohttp.ClientResponse, exchange: _Exchange, line: "Line[_Client]") -> None:
        self._answer = answer
        self._exchange = exchange
        self._line = line

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx(None):
            async for chunk in self._answer.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        self._answer.close()  # a body not read to its end closes the socket; after the end it is back in the pool
        self._exchange.over()
        self._line.leave()


@contextmanager
def _as_httpx(exchange: _Exchange | None) -> Iterator[None]:
    """Raise httpx's errors for aiohttp's, the original as the cause."""
    try:
        yield
    except aiohttp.ClientError as error:
        raise next(ours for theirs, ours in _ERRORS if isinstance(error, theirs))(str(error)) from error
    except TimeoutError as error:
        raise (exchange.expired if exchange else httpx.ReadTimeout)("timed out") from error


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    raw = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    return [pair for pair in raw if pair[0].lower() != "transfer-encoding"]  # aiohttp's own affair


def _has_body(request: httpx.Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        trace_configs=[_TRACE],
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        max_line_size=_MAX_LINE,
        max_field_size=_MAX_LINE,
        timeout=aiohttp.ClientTimeout(total=None),
    )


def _trace() -> aiohttp.TraceConfig:
    """Return the calls that lead from aiohttp to the request's `_Exchange`.

    aiohttp awaits on_request_headers_sent right before the headers go to the socket, with the connection in
    hand (tests/integration/registry holds it to that).
    """
    trace = aiohttp.TraceConfig()

    async def connecting(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.connecting()

    async def connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.connected()

    async def before_write(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        await context.trace_request_ctx.before_write()

    trace.on_connection_create_start.append(connecting)
    trace.on_connection_create_end.append(connected)
    trace.on_request_headers_sent.append(before_write)
    return trace


_TRACE: Final = _trace()
