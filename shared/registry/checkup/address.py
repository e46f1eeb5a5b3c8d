"""The host's address: whether its name resolves, and whether anything listens at its port."""

import asyncio
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.messages.addresses import why_refused
from shared.messages.connection_changed import Connection
from shared.registry.checkup.result import Found, failed, well

_SHOWN = 4


@dataclass(frozen=True)
class Place:
    """Where a connection's host listens."""

    name: str
    port: int
    is_tls: bool


def place_of(connection: Connection) -> Place:
    """Return the name, port and protocol of the connection's host."""
    parts = urlsplit(connection.host)
    is_tls = parts.scheme == "https"
    return Place(parts.hostname or "", parts.port or (443 if is_tls else 80), is_tls)


async def check_address(connection: Connection) -> Found:
    """Look the name up, and connect once."""
    place = place_of(connection)
    try:
        async with asyncio.timeout(connection.connect_timeout_seconds):
            found = await asyncio.get_running_loop().getaddrinfo(place.name, place.port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
            if why := next((why for address in addresses if (why := why_refused(address))), None):
                return failed(f"{place.name} leads to {why}.")
            facts = (("Addresses", ", ".join(addresses[:_SHOWN])), ("Port", str(place.port)))
            _, writer = await asyncio.open_connection(place.name, place.port)
            writer.close()
    except socket.gaierror:
        return failed(f"The name {place.name} cannot be resolved. Check its spelling, and the DNS of this machine.")
    except TimeoutError:
        return failed(
            f"{place.name}:{place.port} did not answer within {connection.connect_timeout_seconds:g} s. Check host, "
            "port and firewall, or raise the connect timeout."
        )
    except OSError:
        return failed(
            f"Nothing accepts connections at {place.name}:{place.port}. Check that the registry runs, and host, port "
            "and firewall."
        )
    return well(f"{place.name} resolves, and something listens at port {place.port}.", *facts)
