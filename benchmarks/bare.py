"""The yardstick: a plain asyncio loop that only fetches; nothing is checked, kept, compared or told.

`python -m benchmarks.bare URL CONNECTIONS own|httpx`. It asks for the catalog, the tags, each tag's manifest,
members of indexes that do not tell their platform, and each config once: what no first load can do without.
"""

import asyncio
import json
import re
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from benchmarks.jobs import Told, serve, taken_orders
from shared.oci import media_types
from shared.registry.numbers import RegistryNumbers
from shared.registry.permits import Permits
from shared.registry.transport import RegistryTransport, Request
from shared.registry.window import Slot

_TIMEOUTS: Final = httpx.Timeout(60)
_ACCEPT: Final = ", ".join((*media_types.MANIFESTS, *media_types.SCHEMA1_MANIFESTS))


class _NoBudget:
    """Never waits for a request's turn."""

    def __init__(self, max_connections: int) -> None:
        self.permits: Final = Permits(lambda: max_connections)

    async def pace(self) -> None:
        return

    async def admit(self) -> Slot:
        return Slot()

    def written(self, slot: Slot) -> None:
        return

    def answered(self, slot: Slot) -> None:
        return

    def ended(self) -> None:
        return

    def heard(self, status: int, headers: Mapping[str, str], asked: float | None) -> None:
        return

    def failed(self) -> None:
        return

    async def is_refused(self, revision: int) -> bool:
        return False

    def refuse(self, revision: int) -> None:
        return


Got = tuple[bytes, str | None]
"""A body, and where the page after it lies."""

Get = Callable[[str, Mapping[str, str]], Awaitable[Got]]


class _Fetching:
    """One fetch of a whole registry."""

    def __init__(self, get: Get, connections: int) -> None:
        self._ask: Final = get
        self._turns: Final = asyncio.Semaphore(connections)
        self._read: Final[set[str]] = set()
        self.tags = 0

    async def run(self) -> None:
        names: list[str] = []
        url: str | None = "/v2/_catalog?n=1000"
        while url:
            body, url = await self._get(url)
            names += json.loads(body)["repositories"]
        await _side_by_side(self._repository(name) for name in names)

    async def _repository(self, name: str) -> None:
        url: str | None = f"/v2/{name}/tags/list?n=1000"
        while url:
            body, url = await self._get(url)
            tags = json.loads(body).get("tags") or ()
            self.tags += len(tags)
            await _side_by_side(self._manifest(name, tag) for tag in tags)

    async def _manifest(self, name: str, reference: str) -> None:
        manifest = json.loads((await self._get(f"/v2/{name}/manifests/{reference}", Accept=_ACCEPT))[0])
        untold = {child["digest"] for child in manifest.get("manifests", ()) if "platform" not in child} - self._read
        self._read.update(untold)
        await _side_by_side(self._manifest(name, digest) for digest in untold)
        config = manifest.get("config", {}).get("digest")
        if _is_image(manifest) and config not in self._read:
            self._read.add(config)
            json.loads((await self._get(f"/v2/{name}/blobs/{config}"))[0])

    async def _get(self, path: str, **headers: str) -> Got:
        async with self._turns:
            return await self._ask(path, headers)


def _is_image(manifest: dict[str, Any]) -> bool:
    """Return False for what other tools keep in image manifests: only layers of images say so."""
    return any(".image." in layer["mediaType"] for layer in manifest.get("layers", ()))


async def _side_by_side(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(each)


@asynccontextmanager
async def _own(url: str, limits: httpx.Limits) -> AsyncIterator[Get]:
    """Tallyman's own transport, without a budget."""
    transport = RegistryTransport(
        limits, ssl.create_default_context(), _NoBudget(limits.max_connections or 1), RegistryNumbers("bare")
    )
    base = httpx.URL(url)

    async def get(path: str, headers: Mapping[str, str]) -> Got:
        exchange = await transport.ask(Request("GET", base.join(path), headers), _TIMEOUTS)
        try:
            pieces = []
            while piece := await exchange.read():
                pieces.append(piece)
        finally:
            exchange.close()
        return b"".join(pieces), _next(exchange.headers.get("link", ""))

    try:
        yield get
    finally:
        await transport.aclose()


@asynccontextmanager
async def _httpx(url: str, limits: httpx.Limits) -> AsyncIterator[Get]:
    """Another library, as it comes."""
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=_TIMEOUTS) as client:

        async def get(path: str, headers: Mapping[str, str]) -> Got:
            answer = await client.get(path, headers=headers)
            return answer.content, _next(answer.headers.get("link", ""))

        yield get


def _next(link: str) -> str | None:
    found = re.match("<([^>]+)>", link)
    return found[1] if found else None


TRANSPORTS: Final = {"own": _own, "httpx": _httpx}


async def _fetch(url: str, connections: int, transport: str) -> Told:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=15)
    begun = time.perf_counter()
    async with TRANSPORTS[transport](url, limits) as get:
        fetching = _Fetching(get, connections)
        await fetching.run()
    return {"seconds": time.perf_counter() - begun, "tags": fetching.tags, "status": "complete"}


if __name__ == "__main__":
    asyncio.run(serve(taken_orders(), lambda: _fetch(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
