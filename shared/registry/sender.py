"""One answer to one request: its body read within limits, tried again while that may help."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from shared.registry.answer import SMALL_BYTES, Answer, host_of, read_body
from shared.registry.breaker import BreakerOpen
from shared.registry.budget import Budget
from shared.registry.network_errors import is_worth_trying_again, network_error, not_asked
from shared.registry.numbers import kind_of
from shared.registry.retry import RetryPolicy, is_transient, retry_after_seconds
from shared.registry.transport import Exchange, RegistryTransport, Request

_BODY_READ_TIMEOUTS: Final = 10
"""An answer that trickles in may take so many read timeouts as a whole."""


@dataclass(frozen=True)
class Sender:
    """Sends to any host on behalf of one registry: all of it counts against that registry's budget.

    timeouts: the connection's four.  chance: spreads the pauses.
    """

    transport: RegistryTransport
    timeouts: httpx.Timeout
    budget: Budget
    policy: RetryPolicy
    chance: random.Random

    async def ask(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        limit: int,
        body: bytes | None = None,
        kind: str | None = None,
    ) -> Answer:
        """Return the answer, whatever its status, or the last one when "later" was told until the attempts were spent.

        method: one that may be sent again (GET, HEAD, or a POST that only asks).  body: of the request.
        kind: what for, where the address does not tell.
        limit: bytes of a body of status 200; others may have SMALL_BYTES.
        Raises RegistryUnreachable, CertificateRefused, BodyTooLarge, AnswerUnusable.
        """
        request, attempt = Request(method, url, headers, kind or kind_of(url.path), body), 1
        while True:
            try:
                answer = await self._once(request, limit)
            except BreakerOpen as error:
                raise not_asked(host_of(url), error) from error
            except httpx.TransportError as error:
                self.budget.failed()
                pause = self.policy.pause(attempt, None, self.chance.random()) if is_worth_trying_again(error) else None
                if pause is None:
                    raise network_error(host_of(url), error) from error
            else:
                asked = retry_after_seconds(answer.headers)
                self.budget.heard(answer.status, answer.headers, asked)  # what it asks of one, it asks of all
                if not is_transient(answer.status, answer.body):
                    return answer
                pause = self.policy.pause(attempt, asked, self.chance.random())
                if pause is None:
                    return answer
            await asyncio.sleep(pause)
            attempt += 1

    async def _once(self, request: Request, limit: int) -> Answer:
        exchange = await self.transport.ask(request, self.timeouts)
        try:
            body = await self._body(exchange, request.url, limit if exchange.status == 200 else SMALL_BYTES)
        finally:
            exchange.close()
        return Answer(request.url, exchange.status, exchange.headers, body)

    async def _body(self, exchange: Exchange, url: httpx.URL, limit: int) -> bytes:
        if exchange.is_complete:
            return await read_body(exchange, url, limit)
        try:
            async with asyncio.timeout((self.timeouts.read or 0) * _BODY_READ_TIMEOUTS or None):
                return await read_body(exchange, url, limit)
        except TimeoutError as error:
            raise httpx.ReadTimeout("the body trickled in for too long") from error
