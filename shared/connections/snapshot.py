"""The connections as of some offset of the topic."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from shared.connections.hosts import same_host
from shared.connections.records import Recorded
from shared.messages.connection_changed import Connection


@dataclass(frozen=True)
class ConnectionsSnapshot:
    """The newest record of each registry, tombstones included."""

    records: Mapping[str, Recorded] = field(default_factory=lambda: MappingProxyType({}))

    def after(self, records: Iterable[Recorded]) -> "ConnectionsSnapshot":
        """Return the snapshot once these records, too, are read; a registry's older record changes nothing."""
        newest = dict(self.records)
        for recorded in records:
            known = newest.get(recorded.registry)
            if known is None or known.offset < recorded.offset:
                newest[recorded.registry] = recorded
        return ConnectionsSnapshot(MappingProxyType(newest))

    def since(self, offset: int) -> tuple[Recorded, ...]:
        """Return the records that lie past `offset`, in their order."""
        return tuple(sorted((r for r in self.records.values() if r.offset > offset), key=lambda r: r.offset))

    def connection(self, registry: str) -> Connection | None:
        """Return the registry's connection, None where there is none or it was deleted."""
        recorded = self.records.get(registry)
        return recorded.connection if recorded else None

    def present(self) -> tuple[tuple[Connection, int], ...]:
        """Return every connection with its record's offset, by name."""
        found = [(r.connection, r.offset) for r in self.records.values() if r.connection is not None]
        return tuple(sorted(found, key=lambda pair: pair[0].name.casefold()))

    def named(self, name: str) -> Connection | None:
        """Return the connection of that name; names differ in more than upper and lower case."""
        return next((c for c, _ in self.present() if c.name.casefold() == name.casefold()), None)

    def at_host(self, host: str) -> tuple[Connection, ...]:
        """Return the connections to that host, however it is written, by name."""
        return tuple(c for c, _ in self.present() if same_host(c.host, host))
