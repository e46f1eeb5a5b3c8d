"""From an address to a connection: DNS, TCP, TLS."""

import asyncio
import ssl
from typing import Final

import httpx
from aiohappyeyeballs import start_connection

from shared.registry.resolver import resolve
from shared.registry.wire.connection import Connection

_NEXT_ADDRESS_SECONDS: Final = 0.25
"""After so long without an answer the next of a host's addresses is tried, too. Source: RFC 8305."""

_PORTS: Final = {"http": 80, "https": 443}


async def connect(url: httpx.URL, tls: ssl.SSLContext, timeout: float | None) -> Connection:
    """Return a new connection to the host of `url`.  timeout: for all of it, seconds.

    Raises httpx.ConnectTimeout, ConnectError (its cause tells why), UnsupportedProtocol; AddressRefused.
    """
    if url.scheme not in _PORTS or not url.host:
        raise httpx.UnsupportedProtocol("neither http nor https")
    try:
        async with asyncio.timeout(timeout):
            port = url.port or _PORTS[url.scheme]
            return await _connect(url.raw_host.decode("ascii"), port, tls if url.scheme == "https" else None)
    except TimeoutError as error:
        raise httpx.ConnectTimeout("timed out") from error
    except OSError as error:  # OpenSSL's and the resolver's errors are some
        raise httpx.ConnectError(str(error)) from error


async def _connect(host: str, port: int, tls: ssl.SSLContext | None) -> Connection:
    loop = asyncio.get_running_loop()
    found = await resolve(host, port)
    socket = await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, loop=loop)
    try:
        _, connection = await loop.create_connection(
            Connection, sock=socket, ssl=tls, server_hostname=host if tls else None
        )
    except BaseException:
        socket.close()
        raise
    return connection
