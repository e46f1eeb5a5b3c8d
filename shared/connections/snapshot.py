"""The connections, and what is noted beside them, as of some offset of the topic."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from shared.connections.hosts import same_host
from shared.connections.records import CONNECTION, Noted, Recorded
from shared.messages.connection_changed import Connection
from shared.messages.connection_notes import Note

N = TypeVar("N", bound=Note)
R = TypeVar("R", Recorded, Noted)


@dataclass(frozen=True)
class ConnectionsSnapshot:
    """The newest record of each registry, tombstones included, and of each note by its key."""

    records: Mapping[str, Recorded] = field(default_factory=lambda: MappingProxyType({}))
    notes: Mapping[str, Noted] = field(default_factory=lambda: MappingProxyType({}))

    def after(self, read: Iterable[Recorded | Noted]) -> "ConnectionsSnapshot":
        """Return the snapshot once these records, too, are read; an older record of the same key changes nothing."""
        records, notes = dict(self.records), dict(self.notes)
        for one in read:
            if isinstance(one, Recorded):
                _keep_newest(records, one.registry, one)
            else:
                _keep_newest(notes, one.key, one)
        return ConnectionsSnapshot(MappingProxyType(records), MappingProxyType(notes))

    def since(self, offset: int) -> tuple[Recorded, ...]:
        """Return the connections' records that lie past `offset`, in their order."""
        return tuple(sorted((r for r in self.records.values() if r.offset > offset), key=lambda r: r.offset))

    def connection(self, registry: str) -> Connection | None:
        """Return the registry's connection, None where there is none or it was deleted."""
        recorded = self.records.get(registry)
        return recorded.connection if recorded else None

    def note(self, kind: type[N], identity: str) -> N | None:
        """Return the note of that kind and identity, None where there is none."""
        noted = self.notes.get(kind.key(identity))
        return noted.value if noted and isinstance(noted.value, kind) else None

    def all_notes(self, kind: type[N]) -> tuple[N, ...]:
        """Return every note of a kind, the oldest first."""
        found = sorted(self.notes.values(), key=lambda noted: noted.offset)
        return tuple(noted.value for noted in found if isinstance(noted.value, kind))

    def recorded(self, key: str) -> Recorded | Noted | None:
        """Return the newest record of a key, a tombstone included."""
        return self.notes.get(key) or self.records.get(key.removeprefix(CONNECTION))

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

    def newest(self) -> Recorded | Noted | None:
        """Return the newest record, None where there is none."""
        all_: tuple[Recorded | Noted, ...] = (*self.records.values(), *self.notes.values())
        return max(all_, key=lambda one: one.offset, default=None)

    def newest_change(self) -> int:
        """Return the offset of the newest record, -1 where there is none."""
        newest = self.newest()
        return newest.offset if newest else -1


def key_of_connection(registry: str) -> str:
    """Return the key of a registry's record, as text."""
    return CONNECTION + registry


def _keep_newest(kept: dict[str, R], key: str, one: R) -> None:
    known = kept.get(key)
    if known is None or known.offset < one.offset:
        kept[key] = one
