"""The shape of every contract server, by which one suite runs on all of them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.fakes.product.desk import Desk
from tests.fakes.product.guards import PASSWORD, USERNAME
from tests.support.generator import Estate

_NUMBERS = count(1)


def _nothing() -> None:
    """No tokens to expire."""


@dataclass(frozen=True)
class Tells:
    """What the product tells of an image that nobody reads then: facts the inventory has all the same, or lacks.

    platform: of images.  variant: with it, variant and os version.  size, created: of images.
    """

    platform: bool = False
    variant: bool = False
    size: bool = False
    created: bool = False


@dataclass(frozen=True)
class ProductServer:
    """A running server.

    url: the connection's host.  connection: its other settings (type, auth_type…).
    name_of: the estate's name of a repository -> Tallyman's, which is what `desk.forbidden` and `desk.broken` hold.
    expire_tokens: makes every token issued so far worthless.  pulls: manifests that the product counts as pulled.
    number: of this server among all of the process; a port may come again.
    """

    url: str
    desk: Desk
    estate: Estate
    connection: Mapping[str, Any] = field(default_factory=dict)
    username: str | None = USERNAME
    password: str | None = PASSWORD
    name_of: Callable[[str], str] = lambda name: name
    expire_tokens: Callable[[], None] = _nothing
    tells: Tells = Tells()
    pulls: list[str] = field(default_factory=list)
    number: int = field(default_factory=lambda: next(_NUMBERS))


OpensServer = Callable[[Estate], AbstractAsyncContextManager[ProductServer]]
