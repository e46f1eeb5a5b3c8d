"""A contract server of plain Registry V2 with tokens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.fakes.product.desk import Desk, serving
from tests.fakes.product.guards import TokenDesk
from tests.fakes.product.registry_v2 import RegistryV2, V2Rules
from tests.fakes.product.server import OpensServer, ProductServer
from tests.support.generator import Estate


@asynccontextmanager
async def v2_server(estate: Estate, rules: V2Rules = V2Rules()) -> AsyncIterator[ProductServer]:  # noqa: B008  # frozen
    """Serve the estate as Distribution would, or by other rules."""
    desk, tokens = Desk(), TokenDesk("/token", "registry")
    routes = [tokens.route(), *RegistryV2(estate, desk, guard=tokens.guard, rules=rules).routes()]
    async with serving(desk, routes) as url:
        settings = {"type": "v2", "auth_type": "bearer"}
        yield ProductServer(url, desk, estate, settings, expire_tokens=tokens.expire)


SERVERS: dict[str, OpensServer] = {"v2": v2_server}
