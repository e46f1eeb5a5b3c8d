"""Names resolved for requests; whatever a name says, nobody is sent to a cloud's metadata service."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from shared.errors import PermanentError
from shared.messages.addresses import why_refused


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


class CheckedResolver(AbstractResolver):
    """Resolves as the system does. Raises AddressRefused where a name leads to what no registry's address is.

    system: what resolves; else what aiohttp has by default.
    """

    def __init__(self, system: AbstractResolver | None = None) -> None:
        self._system = system or DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        for one in found:
            if why := why_refused(one["host"]):
                raise AddressRefused(host, why)
        return found

    async def close(self) -> None:
        await self._system.close()
