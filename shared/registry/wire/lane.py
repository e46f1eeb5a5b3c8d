"""The connections of one line: at most one to each host (registry, token service, storage)."""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Final

import httpx

from shared.registry.wire.connecting import connect
from shared.registry.wire.connection import Connection

Origin = tuple[str, str, int | None]


class Lane:
    """expiry: seconds after which an idle connection is not used any more."""

    def __init__(self, tls: ssl.SSLContext, expiry: float) -> None:
        self._tls: Final = tls
        self._expiry: Final = expiry
        self._kept: Final[dict[Origin, Connection]] = {}

    def kept(self, url: httpx.URL) -> Connection | None:
        """Return the open connection to the host of `url`, if there is one; close those that were idle for too long."""
        oldest = asyncio.get_running_loop().time() - self._expiry
        for origin, connection in list(self._kept.items()):
            if not connection.is_open or connection.idle_since < oldest:
                connection.close()
                del self._kept[origin]
        return self._kept.get(_origin(url))

    async def open(self, url: httpx.URL, timeout: float | None) -> Connection:
        """Return a new connection to the host of `url`. Raises as `connect`."""
        connection = self._kept[_origin(url)] = await connect(url, self._tls, timeout)
        return connection

    def close(self) -> asyncio.Future[None]:
        """Close all; what is returned is done when they are closed."""
        return asyncio.ensure_future(_all([connection.close() for connection in self._kept.values()]))


async def _all(closing: Iterable[asyncio.Future[None]]) -> None:
    await asyncio.gather(*closing)


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.host, url.port
