"""What all rooms of the console share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.console.letters import Letters
from services.console.registries import Registries
from services.console.triggers import Triggers
from services.scan_requests import ScanRequests
from shared.connections.secrets import Secrets
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.registry.sharing.member import Member
from shared.settings import Settings
from shared.store.store import Store


@dataclass(frozen=True)
class Office:
    """An installation as the console uses it.

    clock: the time in UTC, for people.
    """

    settings: Settings
    topic: ConnectionsTopic
    connections: ConnectionsView
    secrets: Secrets
    store: Store
    budgets: Member
    clock: Callable[[], datetime]

    @property
    def now(self) -> ConnectionsSnapshot:
        """The connections, and what is noted beside them, at this moment."""
        return self.connections.now()

    @property
    def scans(self) -> ScanRequests:
        return ScanRequests(self.settings, self.topic, self.store)

    @property
    def triggers(self) -> Triggers:
        return Triggers(self.settings, self.store, self.clock)

    @property
    def letters(self) -> Letters:
        return Letters(self.settings, self.topic)

    @property
    def registries(self) -> Registries:
        return Registries(
            self.settings, self.topic, self.connections, self.secrets, self.store, self.budgets, self.scans, self.clock
        )
