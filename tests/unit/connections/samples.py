"""Connections and snapshots for the tests of this folder."""

from shared.connections.records import Recorded
from shared.connections.rules import ConnectionSettings, new_connection
from shared.connections.snapshot import ConnectionsSnapshot
from shared.messages.connection_changed import Connection

NOTHING = ConnectionsSnapshot()
PARTITIONS = 4
HARBOR = "https://harbor.example.com"


def a_connection(registry: str = "registry1", **settings: object) -> Connection:
    return Connection.model_validate({"registry": registry, "slot": 0, "name": "prod", "host": HARBOR, **settings})


def holding(*connections: Connection) -> ConnectionsSnapshot:
    """A snapshot of these connections, recorded from offset 0 on."""
    return NOTHING.after(Recorded(offset, c.registry, c) for offset, c in enumerate(connections))


def created(snapshot: ConnectionsSnapshot = NOTHING, **settings: object) -> Connection:
    given: ConnectionSettings = {"host": HARBOR, **settings}  # type: ignore[typeddict-item]
    return new_connection(snapshot, "newregistry", PARTITIONS, given)
