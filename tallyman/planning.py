"""How a connection's registry will be read: its dialect's plan for what is known of its size."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic import SecretStr

from services.sharing import sharing
from shared.connections.reader import reading
from shared.connections.secrets import Secrets
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.errors import PermanentError
from shared.messages.connection_changed import Connection
from shared.registry.clients import RegistryClients
from shared.registry.plan import Plan, Size, of_named
from shared.settings import Settings
from tallyman.inventory import quoted
from tallyman.reading import Reads

EXAMPLE: Final = Size(repositories=50, tags=1000, new_digests=1000)
"""What a registry that was never loaded is planned for: nobody knows its size."""


@dataclass(frozen=True)
class LastScan:
    """The newest scan that has ended, with the requests that it took."""

    scan_id: int
    status: str
    requests: int


@dataclass(frozen=True)
class Planned:
    """registry: the connection's name.  size: what it is planned for.  last: None where it was never loaded."""

    registry: str
    host: str
    size: Size
    plan: Plan
    last: LastScan | None

    def document(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {**asdict(self), "requests": self.plan.requests}


async def planned(settings: Settings, topic: ConnectionsTopic, reads: Reads, target: str) -> Planned:
    """Return the plan of the connection of that name or host.

    Raises PermanentError for an unknown or inactive one, and what the registry's dialect raises.
    """
    async with reading(topic) as reader:
        connection = _connection(await reader.read_to_end(), target)
    last = await _last_scan(reads, connection.name)
    size = await _size(reads, connection.name) if last else EXAMPLE
    async with sharing(settings, "plan") as budgets:
        clients = RegistryClients(settings, budgets)
        try:
            plan = await clients.of(connection, _password(settings, connection)).plan(size)
        finally:
            await clients.close()
    if connection.repositories:
        plan = of_named(plan, len(connection.repositories), size.tags)
    return Planned(connection.name, connection.host, size, plan, last)


def _connection(snapshot: ConnectionsSnapshot, target: str) -> Connection:
    found = snapshot.named(target) or next(iter(snapshot.at_host(target)), None)
    if found is None:
        names = ", ".join(connection.name for connection, _ in snapshot.present()) or "none"
        raise PermanentError(
            f"There is no connection {target}. There is: {names}. `tallyman load HOST` makes one.",
            reason="no_such_connection",
        )
    if not found.is_active:
        raise PermanentError(
            f"The connection {found.name} is inactive: its registry is not asked anything.",
            reason="connection_inactive",
        )
    return found


def _password(settings: Settings, connection: Connection) -> SecretStr | None:
    return Secrets.of(settings).decrypt(connection.password) if connection.password else None


async def _size(reads: Reads, name: str) -> Size:
    counted = f"SELECT uniqExact(repository), count() FROM current_tags WHERE registry = {quoted(name)}"
    (repositories, tags) = (await _rows(reads, counted))[0]
    return Size(repositories=int(repositories), tags=int(tags))


async def _last_scan(reads: Reads, name: str) -> LastScan | None:
    ended = f"SELECT scan_id, status, requests FROM scans WHERE registry = {quoted(name)} AND status != 'running'"
    rows = await _rows(reads, f"{ended} ORDER BY scan_id DESC LIMIT 1")
    return LastScan(int(rows[0][0]), str(rows[0][1]), int(rows[0][2])) if rows else None


async def _rows(reads: Reads, sql: str) -> list[Any]:
    async with reads.select(sql) as (_, rows):
        return [row async for row in rows]
