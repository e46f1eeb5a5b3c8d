"""A batch of `scan.progressed` becomes unit rows, absences, and the ends of scans.

Only the owner of a registry's partition works its messages, in order; so it alone answers a catalog's last page and
ends scans. An end is a decision like any other: kept in the outbox with its cause before it is told.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.sink.decide import Fuse
from services.sink.decision import RegistryFacts
from services.sink.ending import Ending, ScanTally, tally_of
from services.sink.ports import Clocks, Outgoing, Queues, Received, Registries, SinkStore
from services.sink.sending import Sending, outgoing
from services.sink.stalls import Stalls
from services.sink.unit_rows import missing_rows, unit_rows
from shared.messages.images_observed import ImagesObserved
from shared.messages.model import ScanContext
from shared.messages.scan_progressed import (
    CatalogClosed,
    CatalogPage,
    ScanEnded,
    ScanProgressed,
    ScanStatus,
    ScanTimedOut,
)
from shared.messages.topics import SCAN_PROGRESSED
from shared.store.rows import OutboxRow, ScanUnitRow

ScanKey = tuple[str, int]
_TALLIES_KEPT: Final = 200
"""Tallies of ended scans kept for late messages; older ones are read from the store when needed."""


class ScanProgress:
    """Works batches of one partition of `scan.progressed`; holds the tallies of its scans."""

    def __init__(
        self,
        partition: int,
        store: SinkStore,
        registries: Registries,
        fuse: Fuse,
        sending: Sending,
        stalls: Stalls,
        queues: Queues,
        clocks: Clocks,
    ) -> None:
        self._partition = partition
        self._store = store
        self._registries = registries
        self._fuse = fuse
        self._sending = sending
        self._stalls = stalls
        self._queues = queues
        self._clocks = clocks
        self._tallies: dict[ScanKey, ScanTally] = {}
        self._resumed = False

    async def work(self, batch: Sequence[Received[ScanProgressed]]) -> list[Outgoing]:
        """Return what is to be sent once everything the batch led to is stored."""
        sent: list[Outgoing] = []
        rows: list[ScanUnitRow] = []
        endings: list[OutboxRow] = []
        for received in batch:
            message, offset = received.message, received.offset
            rows += unit_rows(message, offset, self._clocks.now())
            tally = await self._tally(message.context, offset)
            tally.add(message)
            match message.progress:
                case CatalogPage(last=True) as page:
                    sent += await self._close_catalog(message.context, tally, page)
            status = tally.status()
            self._watch(tally, status)
            if status is not None and not tally.ended:
                sent += await self._end(received, tally, status, rows, endings)
        await self._store.insert(rows)
        await self._store.insert(endings)
        self._forget_ended()
        return sent

    def reset(self) -> None:
        """Forget what was counted: the batch failed and comes again."""
        self._tallies.clear()

    async def idle(self) -> list[Outgoing]:
        """Return the time-outs of scans that have stalled, to be sent on their own."""
        now = self._clocks.monotonic()
        if not self._resumed:
            for context in await self._registries.unfinished(self._partition):
                self._stalls.heard(context, now)
            self._resumed = True
        sent = []
        overdue = self._stalls.overdue(now)
        levels = await self._queues.levels() if overdue else {}
        for context in overdue:
            pages = await self._store.pages_stored(context.registry, context.scan)
            if self._stalls.has_stalled(context, pages, levels, now):
                self._stalls.heard(context, now)  # so that it is told once in a while, not at every look
                progress = ScanTimedOut(stalled_seconds=self._stalls.stall_seconds)
                sent.append(outgoing(ScanProgressed(context=context, progress=progress)))
        return sent

    def _watch(self, tally: ScanTally, status: ScanStatus | None) -> None:
        if status is None:
            self._stalls.heard(tally.context, self._clocks.monotonic())
        else:
            self._stalls.ended(tally.context)

    async def _tally(self, context: ScanContext, offset: int) -> ScanTally:
        key = (context.registry, context.scan)
        if key not in self._tallies:
            self._tallies[key] = tally_of(context, await self._store.scan_units(*key), before=offset)
        return self._tallies[key]

    async def _close_catalog(self, context: ScanContext, tally: ScanTally, page: CatalogPage) -> list[Outgoing]:
        """Return the answer to a catalog's last page: an absence for each known repository it does not name."""
        gone: list[str] = []
        held: list[str] = []
        if page.complete and page.proves:
            known = set(await self._store.known_repositories(context.registry))
            gone = sorted(known - tally.expected)
            if not context.confirmed and self._fuse.trips(len(gone), len(known)):
                gone, held = [], gone
        absent = [
            ImagesObserved(context=context, repository=name, absent=True, observed_at=self._clocks.now())
            for name in gone
        ]
        closed = CatalogClosed(absent=tuple(gone), held=tuple(held), complete=page.complete)
        return [*map(outgoing, absent), outgoing(ScanProgressed(context=context, progress=closed))]

    async def _end(
        self,
        received: Received[ScanProgressed],
        tally: ScanTally,
        status: ScanStatus,
        rows: list[ScanUnitRow],
        endings: list[OutboxRow],
    ) -> list[Outgoing]:
        """Decide the end, or find it decided: told again under the same cause, passed over under another."""
        key = (tally.context.registry, "", tally.context.scan)
        row = (await self._store.decisions({key})).get(key)
        tally.ended = True
        if row is not None:
            if (row.topic, row.partition, row.offset) != (SCAN_PROGRESSED.name, received.partition, received.offset):
                return []
            return list(self._sending.of_ending(Ending.model_validate_json(row.decision)))
        facts = await self._registries.facts(tally.context) or RegistryFacts()
        ending = _ending(tally, status, facts, self._clocks.now())
        rows += missing_rows(received.message, tally.missing(), received.offset, self._clocks.now())
        # Here and not only when its message comes round: whoever hears of the end shall find it in the store.
        ended = ScanProgressed(context=tally.context, progress=ScanEnded(status=status))
        rows += unit_rows(ended, received.offset, self._clocks.now())
        endings.append(_outbox_row(ending, received, self._clocks.now()))
        return list(self._sending.of_ending(ending))

    def _forget_ended(self) -> None:
        ended = [key for key, tally in self._tallies.items() if tally.ended]
        for key in ended[: max(0, len(ended) - _TALLIES_KEPT)]:
            del self._tallies[key]


def _ending(tally: ScanTally, status: ScanStatus, facts: RegistryFacts, at: datetime) -> Ending:
    return Ending(
        context=tally.described(),
        registry=facts,
        status=status,
        reason=tally.reason,
        ended_at=at,
        repositories=len(tally.expected - tally.absent),
        counts=tally.counts(),
    )


def _outbox_row(ending: Ending, received: Received[ScanProgressed], at: datetime) -> OutboxRow:
    return OutboxRow(
        registry=ending.context.registry,
        repository="",
        scan=ending.context.scan,
        topic=SCAN_PROGRESSED.name,
        partition=received.partition,
        offset=received.offset,
        decision=ending.model_dump_json(),
        inserted_at=at,
    )
