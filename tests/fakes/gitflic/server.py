"""A contract server of GitFlic.

Source: GitFlic documentation, Container registry (names, transport tokens). How its challenge and its catalog look is
documented nowhere, so both kinds are served: Basic here, tokens and a closed catalog as variants.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from shared.oci.digest import Digest
from tests.fakes.product.desk import Desk, serving
from tests.fakes.product.guards import Guard, TokenDesk, basic
from tests.fakes.product.registry_v2 import RegistryV2, V2Rules
from tests.fakes.product.server import OpensServer, ProductServer
from tests.support.generator import Estate


def gitflic_name(repository: str) -> str:
    """The estate's repository as GitFlic would name it: of a project, of a company, or of the installation."""
    levels = repository.count("/")
    if levels == 0:
        return repository
    return f"company/{repository}" if levels == 1 else f"project/{repository}"


@asynccontextmanager
async def gitflic_server(estate: Estate, *, tokens: bool = False, catalog: bool = True) -> AsyncIterator[ProductServer]:
    """Serve the estate.  tokens: Bearer instead of Basic.  catalog: whether it is open."""

    def grants(username: str | None, scope: str) -> bool:
        return username is not None and (catalog or not scope.startswith("registry:"))

    desk, service = Desk(), TokenDesk("/registry/token", "gitflic-registry", grants=grants)
    guard: Guard = service.guard if tokens else basic("GitFlic Registry")

    def named() -> Mapping[str, Mapping[str, Digest]]:
        return {gitflic_name(name): tags for name, tags in estate.repositories.items()}

    rules = V2Rules(catalog=catalog, empty="[]")
    routes = RegistryV2(estate, desk, tags=named, guard=guard, rules=rules).routes()
    async with serving(desk, [service.route(), *routes]) as url:
        settings = {"type": "gitflic", "auth_type": "bearer" if tokens else "basic"}
        yield ProductServer(url, desk, estate, settings, name_of=gitflic_name, expire_tokens=service.expire)


SERVERS: dict[str, OpensServer] = {"gitflic": gitflic_server}
