"""A batch of `images.observed` becomes decisions, rows and records to send.

The order is the whole safety: stage the pages; read the state *first*, then look the decisions up; decide; insert
the decisions, *then* their rows; only then does the caller publish. A crash between any two steps is mended by the
same messages coming again: a decision found under its own cause is replayed, under another it was published.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from services.access import REASON_DELETED
from services.sink.decide import Fuse, decide_listing
from services.sink.decision import Decision, RegistryFacts
from services.sink.forgetting import Forgetting
from services.sink.observation import Observation, observation_of
from services.sink.ports import Clocks, Outgoing, Received, Registries, SinkStore
from services.sink.readings import completed_by
from services.sink.sending import Sending, outgoing
from services.sink.state import state_after
from services.units import unit_skipped
from shared.messages.codec import decode, encode
from shared.messages.images_observed import ImagesObserved
from shared.messages.model import Failure, ScanContext, ScanKind, ScanReason
from shared.messages.scan_progressed import UnitOutcome
from shared.messages.topics import IMAGES_OBSERVED
from shared.store.rows import ListingPageRow, OutboxRow

Batch = Sequence[Received[ImagesObserved]]


@dataclass(frozen=True)
class _Whole:
    """A whole observation and the place of the message that completed it."""

    partition: int
    offset: int
    seen: Observation
    facts: RegistryFacts

    @property
    def key(self) -> tuple[str, str, int]:
        return self.seen.context.registry, self.seen.repository, self.seen.context.scan


class Listings:
    """Works batches of a partition of `images.observed`.  forgetting: of deleted registries, on that partition."""

    def __init__(
        self,
        store: SinkStore,
        registries: Registries,
        fuse: Fuse,
        sending: Sending,
        clocks: Clocks,
        forgetting: Forgetting | None = None,
    ) -> None:
        self._store = store
        self._registries = registries
        self._fuse = fuse
        self._sending = sending
        self._clocks = clocks
        self._forgetting = forgetting
        self._first_loads: dict[str, int] = {}

    def reset(self) -> None:
        """What was to be sent was not."""
        if self._forgetting is not None:
            self._forgetting.reset()

    async def idle(self) -> list[Outgoing]:
        """Return tombstones of deleted registries; nothing else is sent but for a batch."""
        if self._forgetting is None:
            return []
        return await self._forgetting.due(self._registries.deleted(), self._clocks.now())

    async def work(self, batch: Batch) -> Iterator[Outgoing]:
        """Store everything the batch led to; return what is then to be sent."""
        sent: list[Outgoing] = []
        alive: list[tuple[Received[ImagesObserved], RegistryFacts]] = []
        for received in batch:
            facts = await self._registries.facts(received.message.context)
            if facts is None:
                sent += _skipped(received.message)
            else:
                alive.append((received, facts))
        await self._store.insert([_staged(received, self._clocks.now()) for received, _ in alive if _is_part(received)])
        decisions = await self._decisions(await self._whole(alive))
        await self._insert_rows(decisions)
        return chain(sent, chain.from_iterable(map(self._sending.of_decision, decisions)))

    async def _whole(self, alive: Sequence[tuple[Received[ImagesObserved], RegistryFacts]]) -> list[_Whole]:
        chains = await self._chains([received for received, _ in alive if _is_part(received)])
        whole = []
        for received, facts in alive:
            if not _is_part(received):
                pages: Sequence[ImagesObserved] | None = (received.message,)
            else:
                pages = chains.get((received.partition, received.offset))
            if pages:
                whole.append(_Whole(received.partition, received.offset, observation_of(pages), facts))
        return whole

    async def _chains(self, parts: Batch) -> dict[tuple[int, int], list[ImagesObserved]]:
        """Return the pages of each reading that a message of the batch completes, by the message's place."""
        keys = {_reading_key(received.message) for received in parts}
        staged = _by_reading(await self._store.listing_pages(keys, bodies=False)) if keys else {}
        complete = [
            (received, chain)
            for received in parts
            if (chain := completed_by(staged.get(_reading_key(received.message), ()), received.offset))
        ]
        wanted = {_reading_key(received.message) for received, _ in complete}
        bodies = _by_reading(await self._store.listing_pages(wanted, bodies=True)) if wanted else {}
        return {
            (received.partition, received.offset): _bodies(bodies[_reading_key(received.message)], chain)
            for received, chain in complete
        }

    async def _decisions(self, whole: Sequence[_Whole]) -> list[Decision]:
        """Return the decisions to publish: new ones, kept in the outbox, and those found under the same cause."""
        if not whole:
            return []
        await self._learn_first_loads({registry for registry, _, _ in (item.key for item in whole)})
        states = dict(await self._store.repository_states({item.key[:2] for item in whole}))
        found = dict(await self._store.decisions({item.key for item in whole}))
        new: list[OutboxRow] = []
        told: list[Decision] = []
        for item in whole:
            row, where = found.get(item.key), item.key[:2]
            if row is None:
                decision = decide_listing(states[where], item.seen, self._fuse)
                snapshot = self._is_of_first_load(item.seen.context)
                decision = decision.model_copy(update={"registry": item.facts, "snapshot": snapshot})
                if decision.outcome is not UnitOutcome.SKIPPED:
                    found[item.key] = self._outbox_row(item, decision)
                    new.append(found[item.key])
            elif _cause(row) == _cause_of(item):
                decision = Decision.model_validate_json(row.decision)
            else:
                continue  # a redelivery of what was published
            states[where] = state_after(states[where], decision.rows)
            told.append(decision)
        await self._store.insert(new)
        return told

    async def _learn_first_loads(self, registries: Iterable[str]) -> None:
        for registry in registries:
            if registry not in self._first_loads:
                first = await self._store.first_load(registry)
                if first is not None:
                    self._first_loads[registry] = first

    def _is_of_first_load(self, context: ScanContext) -> bool:
        """Return whether what a scan sees was there before: no load of its registry had ended when it was asked for.

        A tag that a webhook tells was just pushed.
        """
        if context.kind is ScanKind.TAG and context.reason is ScanReason.WEBHOOK:
            return False
        first = self._first_loads.get(context.registry)
        return first is None or context.scan <= first

    async def _insert_rows(self, decisions: Sequence[Decision]) -> None:
        for tables in zip(*(decision.rows.tables() for decision in decisions), strict=True):
            await self._store.insert(list(chain.from_iterable(tables)))

    def _outbox_row(self, item: _Whole, decision: Decision) -> OutboxRow:
        registry, repository, scan = item.key
        return OutboxRow(
            registry=registry,
            repository=repository,
            scan=scan,
            topic=IMAGES_OBSERVED.name,
            partition=item.partition,
            offset=item.offset,
            decision=decision.model_dump_json(),
            inserted_at=self._clocks.now(),
        )


def _cause(row: OutboxRow) -> tuple[str, int, int]:
    return row.topic, row.partition, row.offset


def _cause_of(item: _Whole) -> tuple[str, int, int]:
    return IMAGES_OBSERVED.name, item.partition, item.offset


def _is_part(received: Received[ImagesObserved]) -> bool:
    """Return True for a page that needs staging: not an absence, and not a reading of one page."""
    reading = received.message.reading
    return reading is not None and not (reading.page == 0 and reading.last)


def _reading_key(message: ImagesObserved) -> tuple[str, str, str]:
    assert message.reading is not None
    return message.context.registry, message.repository, message.reading.id


def _staged(received: Received[ImagesObserved], now: datetime) -> ListingPageRow:
    message = received.message
    assert message.reading is not None
    return ListingPageRow(
        registry=message.context.registry,
        repository=message.repository,
        scan=message.context.scan,
        reading=message.reading.id,
        leg=message.reading.leg,
        follows=message.reading.follows or "",
        page=message.reading.page,
        last=message.reading.last,
        offset=received.offset,
        body=encode(message).decode(),
        inserted_at=now,
    )


def _by_reading(pages: Iterable[ListingPageRow]) -> dict[tuple[str, str, str], list[ListingPageRow]]:
    by: dict[tuple[str, str, str], list[ListingPageRow]] = {}
    for page in pages:
        by.setdefault((page.registry, page.repository, page.reading), []).append(page)
    return by


def _bodies(pages: Iterable[ListingPageRow], chain: Iterable[ListingPageRow]) -> list[ImagesObserved]:
    bodies = {(page.leg, page.page): page for page in pages}
    return [
        decode(ImagesObserved, bodies[row.leg, row.page].body.encode(), bodies[row.leg, row.page].offset)
        for row in chain
    ]


def _skipped(message: ImagesObserved) -> list[Outgoing]:
    """Return the report that a unit of a deleted registry is not stored; pages before the last say nothing."""
    if message.reading is not None and not message.reading.last:
        return []
    failure = Failure(what=message.repository, reason=REASON_DELETED, detail="Its connection was deleted.")
    return [outgoing(unit_skipped(message.context, message.repository, failure))]
