"""What can be done with connections and their scans, whoever asks: the API, the pages, the command line."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from secrets import token_urlsafe
from typing import Any, Final

from pydantic import SecretStr

from services.console.status import keep_status, status_of
from services.scan_requests import Asked, ConnectionInactive, ScanRequests, Wanted
from shared.connections.rules import (
    ConnectionSettings,
    NoSuchConnection,
    checked_connection,
    edited_connection,
    new_connection,
)
from shared.connections.secrets import Secrets
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.connections.writer import Saved, States, delete, new_registry_id, save, write
from shared.errors import TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.connection_notes import HookSecretSet, Note
from shared.observability.logs import log_of
from shared.pipeline.partitioning import registry_partitions
from shared.registry.checkup.course import checked
from shared.registry.checkup.result import CheckStage, Outcome, StageChecked
from shared.registry.clients import Budgets, OwnBudgets
from shared.settings import Settings
from shared.store.store import Store

_LOG: Final = log_of("registries")
_DRAFT_ID: Final = "draft000"
_FORGOTTEN_LOOKS: Final = 100
_LOOK_SECONDS: Final = 0.2
"""How long a purge waits for the sink; without one, the state topics keep what they said of the registry."""


@dataclass(frozen=True)
class Draft:
    """What a person gave.  settings: without the password.  password: in the clear; None = the one that is kept."""

    settings: ConnectionSettings
    password: SecretStr | None = None
    clears_password: bool = False


class Registries:
    """Every change waits until this process has seen it, so that whoever asks next finds it."""

    def __init__(
        self,
        settings: Settings,
        topic: ConnectionsTopic,
        connections: ConnectionsView,
        secrets: Secrets,
        store: Store,
        budgets: Budgets,
        scans: ScanRequests,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings: Final = settings
        self._topic: Final = topic
        self._connections: Final = connections
        self._secrets: Final = secrets
        self._store: Final = store
        self._budgets: Final = budgets
        self._scans: Final = scans
        self._clock: Final = clock

    def find(self, named: str) -> Connection:
        """Return the connection of that name or registry id. Raises NoSuchConnection."""
        now = self._connections.now()
        found = now.named(named) or now.connection(named)
        if found is None:
            raise NoSuchConnection(named)
        return found

    async def create(self, draft: Draft) -> Connection:
        """Save a new connection. Raises ConnectionInvalid, NameTaken; TransientError where Kafka is down."""
        settings = self._with_password(draft)
        registry, partitions = new_registry_id(), self._settings.partitions
        return await self._saved(
            await save(self._topic, lambda now: new_connection(now, registry, partitions, settings))
        )

    async def edit(self, registry: str, revision: int, draft: Draft) -> Connection:
        """Save an edit. Raises NoSuchConnection, StaleEdit, ConnectionInvalid, NameTaken; TransientError."""
        settings = self._with_password(draft)
        return await self._saved(
            await save(self._topic, lambda now: edited_connection(now, registry, revision, settings))
        )

    async def retry(self, connection: Connection) -> Connection:
        """Let a registry whose sign-in was rejected be asked once more, as it is. Raises as `edit`."""
        return await self.edit(connection.registry, connection.revision, Draft({}))

    async def remove(self, registry: str, revision: int | None = None, *, purge: bool = False) -> None:
        """Delete a connection; its history stays, unless it is purged. Raises NoSuchConnection, StaleEdit."""
        connection = self._connections.now().connection(registry)
        offset = await delete(self._topic, registry, revision)
        await self._connections.seen(offset)
        if purge:
            if connection is not None:
                await self._forgotten(connection)
            await self._store.purge(registry)

    async def _forgotten(self, connection: Connection) -> None:
        """Wait until the state topics have heard of the deletion: the sink reads what it has to take back."""
        due = registry_partitions(connection.slot, connection.shards, self._settings.partitions)
        for _ in range(_FORGOTTEN_LOOKS):
            if due <= await self._store.forgotten(connection.registry):
                return
            await asyncio.sleep(_LOOK_SECONDS)
        _LOG.warning("purged before a sink has told that nothing is present any more", registry=connection.name)

    async def scan(self, connection: Connection, wanted: Wanted) -> Asked:
        """Ask for a scan. Raises ConnectionInactive, ScanRunning, NoSuchConnection."""
        return await self._scans.ask(wanted, self._clock())

    async def confirm(self, connection: Connection, repositories: Collection[str] | None) -> list[Asked]:
        """Let held removals through.  repositories: None = all. Raises NothingHeld, ConnectionInactive."""
        return await self._scans.confirm(connection.registry, repositories, self._clock())

    async def cancel(self, connection: Connection, scan: int) -> None:
        """Cancel a running scan. Raises ScanNotRunning, NoSuchConnection."""
        await self._scans.cancel(connection.registry, scan, self._clock())

    async def new_hook_secret(self, connection: Connection) -> SecretStr:
        """Make what the registry's webhooks are signed with from now on, and return it, this once."""
        secret = SecretStr(token_urlsafe(32))
        note = HookSecretSet(registry=connection.registry, secret=self._secrets.encrypt(secret), set_at=self._clock())
        await self._keep(connection.registry, note)
        return secret

    def drafted(self, draft: Draft, current: Connection | None) -> tuple[Connection, SecretStr | None]:
        """Return the connection that a draft would make, and the password to check it with.

        current: the one that it edits; its kept password is used where the draft has none and the host stays.
        Raises ConnectionInvalid, SecretUnreadable; ConnectionInactive, since nobody asks an inactive registry.
        """
        now = self._connections.now()
        if current is None:
            fields: dict[str, Any] = {"name": "unnamed", **draft.settings, "registry": _DRAFT_ID, "slot": 0}
            connection = checked_connection(fields)
        else:
            given: ConnectionSettings = {**draft.settings}
            if draft.password is not None or draft.clears_password:
                given["password"] = None
            connection = edited_connection(now, current.registry, current.revision, given)
        if not connection.is_active:
            raise ConnectionInactive(connection.name)
        kept = current.password if current and not draft.clears_password else None
        return connection, draft.password or (self._secrets.decrypt(kept) if kept else None)

    async def check(self, connection: Connection, password: SecretStr | None) -> AsyncIterator[StageChecked]:
        """Yield the stages of a check as they come; nothing is changed."""
        saved = self._connections.now().connection(connection.registry)  # a draft must not change the limits of others
        budget = self._budgets.of(saved) if saved else OwnBudgets().of(connection)
        async for stage in checked(connection, password, budget, self._clock):
            yield stage

    async def refresh_status(self, connection: Connection) -> tuple[StageChecked, ...]:
        """Check a saved connection and keep what came of it.

        Raises ConnectionInactive; TransientError where Kafka is down. A password that cannot be decrypted is the
        status, and nothing is asked.
        """
        if not connection.is_active:
            raise ConnectionInactive(connection.name)
        try:
            password = self._secrets.decrypt(connection.password) if connection.password else None
            stages = tuple([stage async for stage in self.check(connection, password)])
        except TallymanError as error:
            stages = (StageChecked(CheckStage.SIGN_IN, Outcome.FAILED, str(error)),)
        await self.keep_status(connection, stages)
        return stages

    async def keep_status(self, connection: Connection, stages: tuple[StageChecked, ...]) -> None:
        """Keep what a check of a saved connection came to, for its list."""
        offset = await keep_status(self._settings, self._topic, status_of(connection, stages, self._clock()))
        if offset is not None:
            await self._connections.seen(offset)

    async def _keep(self, registry: str, note: Note) -> None:
        """Keep a note of a registry, unless its connection was deleted meanwhile."""
        recorded = await write(self._topic, partial(_if_there, registry, note))
        if recorded:
            await self._connections.seen(recorded[0].offset)

    def _with_password(self, draft: Draft) -> ConnectionSettings:
        settings: ConnectionSettings = {**draft.settings}
        if draft.password is not None and draft.password.get_secret_value():
            settings["password"] = self._secrets.encrypt(draft.password)
        elif draft.clears_password:
            settings["password"] = None
        return settings

    async def _saved(self, saved: Saved) -> Connection:
        await self._connections.seen(saved.offset)
        return saved.connection


def _if_there(registry: str, note: Note, now: ConnectionsSnapshot) -> States:
    """Return the note to be kept; nothing, where the connection was deleted meanwhile."""
    return {note.key(registry): note} if now.connection(registry) is not None else {}
