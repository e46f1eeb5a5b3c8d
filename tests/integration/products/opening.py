"""A dialect opened on a contract server, for tests of the dialect alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from shared.registry.clients import OwnBudgets, RegistryClients
from shared.registry.dialect import Dialect, RepositoriesPage, TagsPage
from shared.settings import Settings
from tests.fakes.product.server import ProductServer
from tests.integration.registry.conftest import connection_to


@asynccontextmanager
async def open_dialect_of(server: ProductServer, **settings: Any) -> AsyncIterator[Dialect]:
    """Yield the server's dialect, signed in unless told otherwise. host, password: other than the server's."""
    fields = {"username": server.username, **server.connection, **settings}
    password = fields.pop("password", server.password)
    clients = RegistryClients(Settings(attempts=2, listing_pages=200), OwnBudgets())
    try:
        connection = connection_to(fields.pop("host", server.url), **fields)
        yield clients.of(connection, SecretStr(password) if password else None)
    finally:
        await clients.close()


async def pages_of(dialect: Dialect) -> list[RepositoriesPage]:
    """The whole list of repositories."""
    return [page async for page in dialect.repositories()]


async def names_of(dialect: Dialect) -> list[str]:
    """The names of all repositories, listed with their tags or not, sorted."""
    pages = await pages_of(dialect)
    listed = [listing.repository for page in pages for listing in page.listings]
    return sorted([*listed, *(name for page in pages for name in page.names)])


async def tags_of(dialect: Dialect, repository: str) -> list[TagsPage]:
    """The whole tag list of a repository."""
    pages = [await dialect.tags(repository)]
    while pages[-1].cursor is not None:
        pages.append(await dialect.tags(repository, pages[-1].cursor))
    return pages
