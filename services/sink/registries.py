"""The names and hosts of registries, for events and for SQL."""

from collections.abc import AsyncIterator, Collection
from typing import Protocol

from services.sink.decision import RegistryFacts
from services.sink.ports import SinkStore
from shared.connections.records import Recorded
from shared.connections.snapshot import ConnectionsSnapshot
from shared.messages.connection_changed import Connection
from shared.messages.model import ScanContext
from shared.store.rows import RegistryRow


class KnowsConnections(Protocol):
    """The connections as of any offset, and as they change (`shared.connections.view`)."""

    async def get(self, registry: str, offset: int) -> Connection | None: ...
    def all(self) -> Collection[tuple[Connection, int]]: ...
    def now(self) -> ConnectionsSnapshot: ...
    def changes(self) -> AsyncIterator[Recorded]: ...


class ConnectedRegistries:
    """Tells how a registry is named from its connection."""

    def __init__(self, connections: KnowsConnections, store: SinkStore, partitions: int) -> None:
        self._connections = connections
        self._store = store
        self._partitions = partitions

    async def facts(self, context: ScanContext) -> RegistryFacts | None:
        """Return the registry's name and host as of the scan's connection, None when it was deleted."""
        connection = await self._connections.get(context.registry, context.connection)
        return RegistryFacts(name=connection.name, host=connection.host) if connection else None

    def deleted(self) -> list[str]:
        """Return the registries that are known to be deleted."""
        return [recorded.registry for recorded in self._connections.now().records.values() if not recorded.connection]

    async def unfinished(self, partition: int) -> list[ScanContext]:
        """Return the unfinished scans of the registries whose slot lies in this partition."""
        known = {connection.registry: (connection, offset) for connection, offset in self._connections.all()}
        return [
            ScanContext(
                registry=registry,
                scan=scan,
                connection=known[registry][1],
                slot=known[registry][0].slot,
                shards=known[registry][0].shards,
                partitions=self._partitions,
            )
            for registry, scan in await self._store.unfinished_scans()
            if registry in known and known[registry][0].slot % self._partitions == partition
        ]


async def keep_registries(connections: KnowsConnections, store: SinkStore) -> None:
    """Write each connection's name and host to the table `registries` as it changes, until cancelled."""
    async for recorded in connections.changes():
        connection = recorded.connection
        row = RegistryRow(
            registry=recorded.registry,
            name=connection.name if connection else "",
            host=connection.host if connection else "",
            deleted=connection is None,
            version=recorded.offset,
            slot=connection.slot if connection else 0,
            shards=connection.shards if connection else 0,
        )
        await store.insert([row])
