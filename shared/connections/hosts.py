"""Hosts with their protocol: when two are the same, and what to call one."""

import re
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._:-]+")
_LONGEST_NAME: Final = 96  # leaves room for a number within the 100 characters of a connection's name


def same_host(one: str, other: str) -> bool:
    """Return whether both lead to one place: case, a default port and a trailing slash make no difference."""
    return _normal(one) == _normal(other)


def default_name(host: str) -> str:
    """Return a connection's name where the person gave none: host and port, without the protocol."""
    name = _NOT_IN_NAMES.sub("-", urlsplit(host).netloc.lower()).strip("._:-")
    return name[:_LONGEST_NAME] or "registry"


def _normal(host: str) -> tuple[str, str | None, int | None, str]:
    try:
        parts = urlsplit(host)
        return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme), parts.path.rstrip("/")
    except ValueError:  # no URL at all, so the same as nothing but itself
        return "", host, None, ""
