"""How a scan stands: what was expected, what was heard, when it has ended. Pure.

Rows carry their offset and a tally takes messages in the log's order, so the message that ends a scan is fixed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from services.sink.decision import RegistryFacts
from shared.messages.model import Moment, ScanContext, ScanKind, ScanReason, Shape
from shared.messages.scan_progressed import (
    CatalogClosed,
    CatalogPage,
    Counts,
    ScanCancelled,
    ScanEnded,
    ScanProgressed,
    ScanStarted,
    ScanStatus,
    ScanTimedOut,
    UnitOutcome,
    UnitReported,
)
from shared.store.rows import ScanUnitRow

GOOD: Final = frozenset({UnitOutcome.STORED, UnitOutcome.SKIPPED})
"""Outcomes that leave nothing of the unit unknown."""


class Ending(Shape):
    """The decision that a scan has ended, as the outbox keeps it."""

    context: ScanContext
    registry: RegistryFacts
    status: ScanStatus
    reason: str
    ended_at: Moment
    repositories: int
    counts: Counts


@dataclass
class ScanTally:
    """One scan, counted from its messages in order.

    reason, kind: as the scan's start told them; other messages of a scan may know neither.
    expected: units that must be heard of; those of them that the catalog did not name are `absent` too.
    waiting: expected and not heard of.  catalog_complete: None until the catalog is closed.
    """

    context: ScanContext
    reason: str = ""
    kind: ScanKind | None = None
    expected: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    heard: dict[str, tuple[UnitOutcome, Counts]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    catalog_requests: dict[int, int] = field(default_factory=dict)
    catalog_failures: dict[int, int] = field(default_factory=dict)
    catalog_complete: bool | None = None
    timed_out: bool = False
    cancelled: bool = False
    ended: bool = False

    def add(self, message: ScanProgressed) -> None:
        """Count one message."""
        match message.progress:
            case ScanStarted(reason=reason):
                self.reason = self.reason or reason
                self.kind = self.kind or message.context.kind
            case CatalogPage(names=names, page=page, requests=requests, failures=failures):
                self.expect(names)
                self.catalog_requests.setdefault(page, requests)
                self.catalog_failures.setdefault(page, len(failures))
            case CatalogClosed(absent=absent, held=held, complete=complete):
                self.expect((*absent, *held))
                self.absent.update(absent, held)
                for name in held:
                    self.hear(name, UnitOutcome.HELD, Counts(failed=1))
                if self.catalog_complete is None:
                    self.catalog_complete = complete
            case UnitReported(repository=name, outcome=outcome, counts=counts):
                self.hear(name, outcome, counts)
            case ScanTimedOut():
                self.timed_out = True
            case ScanCancelled():
                self.cancelled = True
            case ScanEnded():
                self.ended = True

    def expect(self, names: Iterable[str]) -> None:
        """Take these units as named by the scan."""
        new = set(names) - self.expected
        self.expected |= new
        self.waiting |= new - self.heard.keys()

    def hear(self, name: str, outcome: UnitOutcome, counts: Counts) -> None:
        """Take a unit's outcome; the first stands, but what was stored beats all else.

        A skip beats nothing: it says that a newer listing, or this scan's own, was decided, not that all was read.
        """
        known = self.heard.get(name)
        if known is None or (known[0] is not UnitOutcome.STORED and outcome is UnitOutcome.STORED):
            self.heard[name] = (outcome, counts)
        self.waiting.discard(name)

    def status(self) -> ScanStatus | None:
        """Return how the scan ended, None while it runs."""
        done = self.catalog_complete is not None and not self.waiting
        if not done and self.cancelled:
            return "cancelled"
        if not done:
            return "partial" if self.timed_out else None
        if not self.catalog_complete and not self.expected:
            return "failed"
        outcomes = {self.heard[name][0] for name in self.expected}
        if UnitOutcome.HELD in outcomes:
            return "held"
        good = outcomes <= GOOD
        return "complete" if self.catalog_complete and good else "partial"

    def described(self) -> ScanContext:
        """Return the scan's context with its kind and reason as its start told them."""
        started = {"kind": self.kind, "reason": ScanReason(self.reason) if self.reason else None}
        return self.context.model_copy(update={name: told for name, told in started.items() if told is not None})

    def missing(self) -> list[str]:
        """Return the units not heard of, where that is what ended the scan."""
        return sorted(self.waiting) if self.timed_out and not self.cancelled else []

    def counts(self) -> Counts:
        """Return the sums over all units, with the catalog's requests and failures, and the units not heard of."""
        units = [counts for _, counts in self.heard.values()]
        sums = {name: sum(getattr(unit, name) for unit in units) for name in Counts.model_fields}
        sums["requests"] += sum(self.catalog_requests.values())
        sums["failed"] += sum(self.catalog_failures.values()) + len(self.missing())
        return Counts(**sums)


def tally_of(context: ScanContext, rows: Iterable[ScanUnitRow], before: int) -> ScanTally:
    """Return the tally of a scan as its stored rows at offsets below `before` tell it."""
    tally = ScanTally(context)
    for row in sorted((row for row in rows if row.offset < before), key=lambda row: row.offset):
        match row.state:
            case "started":
                tally.reason = row.reason
                tally.kind = ScanKind(row.kind) if row.kind else None
            case "catalog":
                tally.catalog_requests[row.page] = row.requests
                tally.catalog_failures[row.page] = len(row.failures)
            case "expected":
                tally.expect((row.repository,))
            case "absent":
                tally.expect((row.repository,))
                tally.absent.add(row.repository)
            case "closed":
                tally.catalog_complete = row.reason == "complete"
            case "timeout":
                tally.timed_out = True
            case "cancelled":
                tally.cancelled = True
            case "ended":
                tally.ended = True
            case _:
                tally.hear(row.repository, UnitOutcome(row.state), _counts(row))
    return tally


def _counts(row: ScanUnitRow) -> Counts:
    return Counts(**{name: getattr(row, name) for name in Counts.model_fields})
