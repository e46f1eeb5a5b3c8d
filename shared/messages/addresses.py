"""Addresses that no registry has: a connection that leads there would show a cloud's own secrets to whoever made it."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_LINK_LOCAL: Final = tuple(ip_network(network) for network in ("169.254.0.0/16", "fe80::/10"))
_METADATA: Final = frozenset(
    map(ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
"""Outside the link-local networks. Source: documentation of Alibaba Cloud, Azure, Oracle Cloud, AWS, Google Cloud."""

_METADATA_NAMES: Final = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})


@lru_cache(maxsize=1000)  # asked before every request
def why_refused(host: str) -> str | None:
    """Return a sentence where no registry can have this name or address, None where one can.

    host: a name, or an address without brackets.
    """
    name = host.strip("[]").rstrip(".").partition("%")[0].lower()
    if name in _METADATA_NAMES:
        return f"{host} is a cloud's metadata service, not a registry"
    try:
        address = _unwrapped(ip_address(_decimal(name)))
    except ValueError:
        return None
    if any(address.version == network.version and address in network for network in _LINK_LOCAL):
        return f"{host} is a link-local address, where clouds keep their metadata services and no registry is"
    if address in _METADATA:
        return f"{host} is a cloud's metadata service, not a registry"
    return None


def _decimal(name: str) -> str | int:
    """Return an address written as one number, as 2852039166 or 0xa9fea9fe, as that number."""
    try:
        return int(name, 0)
    except ValueError:
        return name


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address
