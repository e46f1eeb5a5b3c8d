"""Names resolved for requests; whatever a name says, nobody is sent to a cloud's metadata service."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any

from shared.errors import PermanentError
from shared.messages.addresses import why_refused

AddrInfo = tuple[int, int, int, str, Any]
"""Family, type, protocol, canonical name, address: what getaddrinfo returns."""

LooksUp = Callable[[str, int], Awaitable[Sequence[AddrInfo]]]


class AddressRefused(PermanentError):  # says what has happened
    """A host, or one that it sends us to, is at an address where no registry is."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(
            f"{host} is not asked: {why}. Check the host of the connection, and where the registry redirects.",
            reason="address_refused",
        )


def check_host(host: str) -> None:
    """Raise AddressRefused for a host that is no registry's by its name or its address alone."""
    if why := why_refused(host):
        raise AddressRefused(host, why)


async def resolve(host: str, port: int, look_up: LooksUp | None = None) -> Sequence[AddrInfo]:
    """Return the addresses of a host, as the system orders them.  look_up: what resolves; else the system.

    Raises AddressRefused where a name leads to what no registry's address is, OSError where it leads nowhere.
    """
    found = await (look_up or _look_up)(host, port)
    for *_, address in found:
        if why := why_refused(str(address[0])):
            raise AddressRefused(host, why)
    return found


async def _look_up(host: str, port: int) -> Sequence[AddrInfo]:
    flags = 0 if _is_address(host) else socket.AI_ADDRCONFIG  # an IPv6 answer is of no use where there is no IPv6
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
