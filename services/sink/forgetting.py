"""A deleted registry leaves the state topics: a tombstone for all that was present in it, and no event.

Told by the owner of each partition that has repositories of it, between batches: whatever was decided before is
published, and what comes later finds no connection and is skipped.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, Protocol

from services.sink.ports import Outgoing
from shared.messages.topics import IMAGE_STATE, TAG_STATE
from shared.pipeline.partitioning import registry_partitions, repository_partition
from shared.store.known import Place
from shared.store.rows import ForgottenRow
from shared.store.state import RepositoryState

_AT_ONCE: Final = 100
"""Repositories whose tombstones are one transaction."""


class ForgettingStore(Protocol):
    """The store, as far as forgetting needs it."""

    async def insert(self, rows: Sequence[ForgottenRow]) -> None: ...
    async def place_of(self, registry: str) -> Place | None: ...
    async def forgotten(self, registry: str) -> Collection[int]: ...
    async def known_repositories(self, registry: str) -> Collection[str]: ...
    async def repository_states(
        self, keys: Collection[tuple[str, str]]
    ) -> Mapping[tuple[str, str], RepositoryState]: ...


class Forgetting:
    """Forgets deleted registries on one partition.  partitions: of the chain."""

    def __init__(self, partition: int, partitions: int, store: ForgettingStore) -> None:
        self._partition: Final = partition
        self._partitions: Final = partitions
        self._store: Final = store
        self._done: set[str] = set()
        self._left: dict[str, list[str]] = {}

    def reset(self) -> None:
        """What was to be sent was not: begin anew with the registries at hand."""
        self._left.clear()

    async def due(self, deleted: Collection[str], now: datetime) -> list[Outgoing]:
        """Return the next tombstones of the deleted registries; those returned before were sent.

        now: for people.
        """
        for registry in sorted(set(deleted) - self._done):
            if registry not in self._left:
                place = await self._store.place_of(registry)
                if place is None or not await self._is_ours(registry, place):
                    self._done.add(registry)
                    continue
                self._left[registry] = await self._repositories(registry, place)
            if some := self._next(registry):
                return await self._tombstones(registry, some)
            await self._store.insert([ForgottenRow(registry, self._partition, now)])
            self._done.add(registry)
            del self._left[registry]
        return []

    async def _is_ours(self, registry: str, place: Place) -> bool:
        if self._partition not in registry_partitions(place.slot, place.shards, self._partitions):
            return False
        return self._partition not in await self._store.forgotten(registry)

    async def _repositories(self, registry: str, place: Place) -> list[str]:
        return sorted(
            name
            for name in await self._store.known_repositories(registry)
            if repository_partition(place.slot, place.shards, self._partitions, name) == self._partition
        )

    def _next(self, registry: str) -> list[str]:
        some = list(islice(self._left[registry], _AT_ONCE))
        self._left[registry] = self._left[registry][_AT_ONCE:]
        return some

    async def _tombstones(self, registry: str, repositories: list[str]) -> list[Outgoing]:
        states = await self._store.repository_states([(registry, repository) for repository in repositories])
        sent: list[Outgoing] = []
        for repository in repositories:
            state = states[registry, repository]
            gone = [
                (IMAGE_STATE, f"@{row.digest}") for row in state.images.values() if row.present and row.kind == "image"
            ]
            gone += [(TAG_STATE, f":{row.tag}") for row in state.tags.values() if row.present]
            sent += [
                Outgoing(topic, self._partition, f"{registry}/{repository}{what}".encode(), None)
                for topic, what in gone
            ]
        return sent
