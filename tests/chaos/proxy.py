"""A proxy before a registry that does to answers what networks and registries do to them.

Faults: the connection is reset; the answer comes late; 429; 500; the body breaks off; the body drips.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

import aiohttp
from aiohttp import web

FAULTS: Final = ("reset", "late", "429", "500", "truncated", "drip")
_DROPPED: Final = frozenset({"content-length", "transfer-encoding", "connection", "date", "server"})
_PIECES: Final = 12


@dataclass
class FaultyProxy:
    """share: of the answers that get a fault.  injected: how many of each there were."""

    upstream: str
    random: Random
    share: float
    injected: Counter[str] = field(default_factory=Counter)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer as the registry does, or worse."""
        fault = self.random.choice(FAULTS) if self.random.random() < self.share else ""
        if fault:
            self.injected[fault] += 1
        if fault == "reset":
            return self._abort(request)
        if fault in ("429", "500"):
            headers = {"Retry-After": "1"} if fault == "429" and self.random.random() < 0.5 else {}
            return web.Response(status=int(fault), headers=headers)
        if fault == "late":
            await asyncio.sleep(self.random.uniform(0.2, 1.5))
        return await self._forwarded(request, fault)

    async def _forwarded(self, request: web.Request, fault: str) -> web.StreamResponse:
        session: aiohttp.ClientSession = request.app[_SESSION]
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        async with session.request(
            request.method, self.upstream + request.raw_path, headers=headers, data=await request.read()
        ) as answer:
            body = await answer.read()
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _DROPPED]
            told = web.StreamResponse(status=answer.status, headers=kept)  # type: ignore[arg-type]  # may repeat
            length = answer.headers.get("content-length")
            told.content_length = int(length) if request.method == "HEAD" and length else len(body)
        await told.prepare(request)
        if request.method == "HEAD" or not body:
            return told
        if fault == "truncated":
            await told.write(body[: len(body) // 2])
            return self._abort(request)
        size = max(1, len(body) // _PIECES) if fault == "drip" else len(body)
        for start in range(0, len(body), size):
            await told.write(body[start : start + size])
            if fault == "drip":
                await asyncio.sleep(0.1)
        return told

    def _abort(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


_SESSION: Final = web.AppKey("session", aiohttp.ClientSession)


@asynccontextmanager
async def faulty_proxy(upstream: str, random: Random, share: float) -> AsyncIterator[FaultyProxy]:
    """Serve a proxy before `upstream` on loopback until the block ends."""
    proxy = FaultyProxy(upstream, random, share)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", proxy.handle)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        application[_SESSION] = session
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert runner.addresses
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield proxy
        finally:
            await runner.cleanup()
