"""One registry's requests, each on a socket of its own while it lasts; every setting of the connection held.

In order, a request waits for its turn (no time limit, no connection held), for a connection (pool timeout),
for DNS, TCP and TLS (connect timeout), for the window (no time limit), and is written in that same tick.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from shared.registry.budget import Budget
from shared.registry.meter import count_request
from shared.registry.numbers import RegistryNumbers
from shared.registry.pool import Line, Pool
from shared.registry.resolver import check_host
from shared.registry.window import Slot
from shared.registry.wire.connection import Connection
from shared.registry.wire.head import request_head
from shared.registry.wire.headers import Headers
from shared.registry.wire.lane import Lane
from shared.registry.wire.reply import Reply


@dataclass(frozen=True, slots=True)
class Request:
    """One that may be sent again.  kind: what for (`shared.registry.numbers`).  body: None where it has none."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    kind: str = "api"
    body: bytes | None = None


class RegistryTransport:
    """One registry's connections.

    limits: how many are kept idle, of each host (registry, token service, storage), and for how long; how many may be
    open is the budget's to say.
    """

    def __init__(self, limits: httpx.Limits, tls: ssl.SSLContext, budget: Budget, numbers: RegistryNumbers) -> None:
        self._budget: Final = budget
        self._numbers: Final = numbers
        expiry = limits.keepalive_expiry or 0
        self._pool: Final = Pool(
            budget.permits, limits.max_keepalive_connections or 0, expiry, lambda: Lane(tls, expiry)
        )

    async def ask(self, request: Request, timeouts: httpx.Timeout) -> "Exchange":
        """Return the answer at its headers, its body still to be read; close it in any case.

        Raises httpx.TransportError, AddressRefused, BreakerOpen.
        """
        check_host(request.url.host)
        asked_at = asyncio.get_running_loop().time()
        await self._budget.pace()
        self._numbers.waited(asyncio.get_running_loop().time() - asked_at)
        exchange = Exchange(request, timeouts, self._budget, self._numbers, await self._line(timeouts.pool))
        try:
            await exchange.begin()
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def aclose(self) -> None:
        """Close all connections; requests on them fail."""
        await self._pool.close()

    async def _line(self, timeout: float | None) -> Line[Lane]:
        if free := self._pool.try_enter():
            return free
        try:
            async with asyncio.timeout(timeout):
                return await self._pool.enter()
        except TimeoutError as error:
            raise httpx.PoolTimeout("no connection became free") from error


class Exchange:
    """One request and its answer."""

    def __init__(
        self,
        request: Request,
        timeouts: httpx.Timeout,
        budget: Budget,
        numbers: RegistryNumbers,
        line: Line[Lane],
    ) -> None:
        self._request: Final = request
        self._timeouts: Final = timeouts
        self._budget: Final = budget
        self._numbers: Final = numbers
        self._line: Final = line
        self._slot: Slot | None = None
        self._is_written = False
        self._connection: Connection | None = None
        self._reply: Reply | None = None

    async def begin(self) -> None:
        """Return when status and headers are there."""
        request = self._request
        head = request_head(request.method, request.url, request.headers, request.body)
        while not await self._answered(head):
            self._let_go()  # a kept connection turned out to be closed: that is not the registry's failure

    @property
    def status(self) -> int:
        assert self._reply is not None
        return self._reply.status

    @property
    def headers(self) -> Headers:
        assert self._reply is not None
        return self._reply.headers

    @property
    def is_complete(self) -> bool:
        """Whether the whole body is there, so that reading it waits for nothing."""
        return self._reply is not None and self._reply.complete

    async def read(self) -> bytes:
        """Return the next bytes of the body; b"" at its end. Raises httpx.TransportError."""
        assert self._reply is not None
        return await self._reply.read()

    def close(self) -> None:
        """Give the connection back; one whose answer was not read to its end is closed. A second time does nothing."""
        self._let_go()
        self._line.leave()

    async def _answered(self, head: bytes) -> bool:
        """Return True at the answer's headers, False where the connection had been kept and was closed meanwhile."""
        url, timeouts = self._request.url, self._timeouts
        kept = self._connection = self._line.session.kept(url)
        connection = kept or await self._line.session.open(url, timeouts.connect)
        self._connection = connection
        slot = self._slot = await self._budget.admit()
        if connection.is_open:
            reply = self._written(connection, head, slot)
            return await self._heard(connection, reply, slot, may_be_closed=kept is not None)
        if kept:
            return False
        raise httpx.RemoteProtocolError("closed before it was asked")

    def _written(self, connection: Connection, head: bytes, slot: Slot) -> Reply:
        """Write the request in this tick; return what comes back."""
        of_head, loop = self._request.method == "HEAD", asyncio.get_running_loop()
        reply = self._reply = connection.send(head, self._request.body, of_head=of_head, silence=self._timeouts.read)
        # Stamped a loop turn later: should the process be stopped right here, the stamp is late, never early.
        loop.call_soon(self._budget.written, slot)
        count_request()
        self._numbers.written()
        self._is_written = True
        return reply

    async def _heard(self, connection: Connection, reply: Reply, slot: Slot, *, may_be_closed: bool) -> bool:
        kind, written_at = self._request.kind, asyncio.get_running_loop().time()
        try:
            await connection.written(self._timeouts.write)
            await reply.head()
        except httpx.TransportError as error:
            self._numbers.failed(kind)
            if may_be_closed and not reply.begun and isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError)):
                return False
            raise
        self._budget.answered(slot)
        self._numbers.answered(kind, reply.status, asyncio.get_running_loop().time() - written_at)
        return True

    def _let_go(self) -> None:
        if self._slot is not None:
            self._slot = None
            self._budget.ended()
        if self._is_written:
            self._is_written = False
            self._numbers.over()
        if self._connection is not None:
            self._connection.release()
            self._connection = None
