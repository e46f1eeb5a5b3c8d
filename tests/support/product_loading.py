"""Loads contract servers with the whole of Tallyman in one process, and shows what came of it."""

import pkgutil
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import SecretStr

import tests.fakes
from services.opening import connections_topic
from shared.connections.secrets import EncryptedSecret, Secrets
from tallyman.following import ScanSeen
from tallyman.loading import Outcome, load
from tallyman.system import System
from tests.fakes.product.server import OpensServer, ProductServer
from tests.support.generator import Estate

Row = dict[str, Any]
_NOT_TAKEN_SECONDS = 3600.0
"""The stages run here: where they are late, the machine is busy."""
STATE = ("images", "tags", "tag_history", "index_children")


def servers() -> dict[str, OpensServer]:
    """Every contract server, by its name: found in the products' folders."""
    found: dict[str, OpensServer] = {}
    home = Path(tests.fakes.__path__[0])
    for folder in pkgutil.iter_modules(tests.fakes.__path__):
        if (home / folder.name / "server.py").exists() and folder.name != "product":
            found |= import_module(f"tests.fakes.{folder.name}.server").SERVERS
    return found


@dataclass(frozen=True)
class Loader:
    """system: with its stages running."""

    system: System
    _encrypted: dict[str, EncryptedSecret] = field(default_factory=dict)

    async def load(self, server: ProductServer, **settings: Any) -> Outcome:
        """Load the server whole, under a name of its own."""
        wanted: Any = {
            "username": server.username,
            "password": self.encrypted(server.password) if server.password else None,
            "max_rps": 5_000,
            "name": connection_name(server),
            **server.connection,
            **settings,
        }
        topic = connections_topic(self.system.settings)
        return await load(
            self.system.settings,
            topic,
            server.url,
            wanted,
            allow_empty=False,
            tell=_unseen,
            not_taken_seconds=_NOT_TAKEN_SECONDS,
        )

    def encrypted(self, password: str) -> EncryptedSecret:
        """The password as a connection keeps it: each time the same, so that the connection is not edited."""
        if password not in self._encrypted:
            self._encrypted[password] = Secrets.of(self.system.settings).encrypt(SecretStr(password))
        return self._encrypted[password]

    async def rows(self, view: str, server: ProductServer, order: str) -> list[Row]:
        """The rows of a public view that are about the server."""
        query = f"SELECT * FROM {view} WHERE registry = {{name:String}} ORDER BY {order}"
        return await self.system.store.query(query, {"name": connection_name(server)})

    async def state_rows(self, server: ProductServer, scan: int) -> int:
        """How many rows of state the scan wrote, the listings' own left out."""
        total = 0
        for table in STATE:
            counted = f"SELECT count() AS rows FROM {table} INNER JOIN registries USING registry"
            where = f"WHERE name = {{name:String}} AND {table}.version = {scan}"
            (row,) = await self.system.store.query(f"{counted} {where}", {"name": connection_name(server)})
            total += row["rows"]
        return total


def connection_name(server: ProductServer) -> str:
    """What the server's connection is called."""
    return f"product-{server.number}"


def renamed(estate: Estate, server: ProductServer) -> Estate:
    """The estate as Tallyman names its repositories, those without tags left out."""
    named = {server.name_of(name): dict(tags) for name, tags in estate.repositories.items() if tags}
    return Estate(named, estate.contents)


def _unseen(_: ScanSeen, __: float) -> None:
    """Nobody watches."""
