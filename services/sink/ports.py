"""What the sink asks of the outside, and what it sends. Clients arrive as these protocols."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from services.sink.decision import RegistryFacts
from services.sink.stalls import Level, Place
from shared.messages.model import Message, ScanContext
from shared.messages.topics import TopicName
from shared.store import known
from shared.store.rows import ListingPageRow, OutboxRow, Row, ScanUnitRow
from shared.store.state import RepositoryState

M = TypeVar("M", bound=Message)


class SinkStore(Protocol):
    """The store, as far as the sink needs it; shared.store.Store has the meanings."""

    async def insert(self, rows: Sequence[Row]) -> None: ...
    async def repository_states(
        self, keys: Collection[tuple[str, str]]
    ) -> Mapping[tuple[str, str], RepositoryState]: ...
    async def decisions(self, keys: Collection[tuple[str, str, int]]) -> Mapping[tuple[str, str, int], OutboxRow]: ...
    async def listing_pages(
        self, readings: Collection[tuple[str, str, str]], bodies: bool
    ) -> Sequence[ListingPageRow]: ...
    async def scan_units(self, registry: str, scan: int) -> Sequence[ScanUnitRow]: ...
    async def known_repositories(self, registry: str) -> Collection[str]: ...
    async def pages_stored(self, registry: str, scan: int) -> int: ...
    async def place_of(self, registry: str) -> known.Place | None: ...
    async def forgotten(self, registry: str) -> Collection[int]: ...
    async def first_load(self, registry: str) -> int | None: ...
    async def unfinished_scans(self) -> Collection[tuple[str, int]]: ...


class Registries(Protocol):
    """Tells how a registry is named."""

    async def facts(self, context: ScanContext) -> RegistryFacts | None:
        """Return the registry's name and host, None when its connection was deleted."""

    def deleted(self) -> Collection[str]:
        """Return the registries that are known to be deleted, without waiting."""

    async def unfinished(self, partition: int) -> Sequence[ScanContext]:
        """Return the scans that were started and not ended, of the registries of a partition of `scan.progressed`."""


class Queues(Protocol):
    """Tells how far the stages are."""

    async def levels(self) -> Mapping[Place, Level]:
        """Return each partition's level; none of a topic where that is not told."""


@dataclass(frozen=True)
class Clocks:
    """now: UTC, for rows people read; no decision does.  monotonic: seconds, for this process's own waits."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]


class Work(Protocol[M]):
    """What makes records to send out of a batch: of a large one they are made as they are taken."""

    async def work(self, batch: "Sequence[Received[M]]") -> "Iterable[Outgoing]": ...
    async def idle(self) -> "list[Outgoing]": ...
    def reset(self) -> None: ...


@dataclass(frozen=True)
class Received(Generic[M]):
    """A message and its place in its partition."""

    partition: int
    offset: int
    message: M


@dataclass(slots=True)  # not frozen: see shared.messages.cloud_events.CloudEvent
class Outgoing:
    """A record to send within the batch's transaction.

    value: None = a tombstone.  event: its type, where it is one.
    """

    topic: TopicName
    partition: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    event: str = field(default="", compare=False)
