"""A batch of observations: what is stored in which order, and what happens when it is cut short."""

import json
from collections.abc import Iterable, Sequence

import pytest

from services.access import REASON_DELETED
from services.sink.listings import Listings
from services.sink.ports import Outgoing
from services.sink.sending import Sending
from services.sink.unit_rows import unit_rows
from shared.messages.codec import decode
from shared.messages.images_observed import ImagesObserved
from shared.messages.model import Failure, Reading, ScanKind, ScanReason
from shared.messages.scan_progressed import ScanEnded, ScanProgressed, ScanStatus, UnitOutcome, UnitReported
from shared.messages.topics import IMAGE_EVENTS, IMAGE_STATE, SCAN_PROGRESSED, TAG_STATE
from shared.store.errors import StoreUnavailable
from shared.store.rows import ListingPageRow, OutboxRow, RepositoryRow, TagRow
from tests.fakes.sink_store import FakeSinkStore, Tables
from tests.unit.sink.samples import (
    BEGINNING,
    CLOCKS,
    NO_FUSE,
    REGISTRY,
    REPOSITORY,
    OneRegistry,
    batch,
    context,
    observed,
    progressed,
    run,
)

PLACE = (REGISTRY, REPOSITORY)


class Steps:
    """Notes each step of a store; fails at the one whose number is `fails_at`."""

    def __init__(self, fails_at: int = -1) -> None:
        self.names: list[str] = []
        self._fails_at = fails_at

    async def pause(self, step: str) -> None:
        if len(self.names) == self._fails_at:
            raise StoreUnavailable("It does not answer.")
        self.names.append(step)


def listings(store: FakeSinkStore, *, deleted: bool = False) -> Listings:
    return Listings(store, OneRegistry(deleted=deleted), NO_FUSE, Sending(), CLOCKS)


def work(store: FakeSinkStore, *messages: ImagesObserved, first: int = 0) -> list[Outgoing]:
    return list(run(listings(store).work(batch(*messages, first=first))))


def reports(sent: Sequence[Outgoing]) -> list[tuple[str, UnitOutcome]]:
    messages = [decode(ScanProgressed, record.value, 0) for record in sent if record.topic is SCAN_PROGRESSED]
    told = [message.progress for message in messages]
    return [(one.repository, one.outcome) for one in told if isinstance(one, UnitReported)]


def events(sent: Sequence[Outgoing]) -> list[str]:
    return [dict(record.headers)["ce_type"].decode() for record in sent if record.topic is IMAGE_EVENTS]


def page(scan: int, number: int, tag: str, *, last: bool = False, leg: str = "a") -> ImagesObserved:
    return observed(scan, {tag: tag}, reading=Reading(id="reading", leg=leg, page=number, last=last))


def test_events_come_first_and_the_report_of_the_unit_after_them() -> None:
    sent = work(FakeSinkStore(), observed(1, {"1": "a"}))
    assert [record.topic for record in sent] == [IMAGE_EVENTS, IMAGE_EVENTS, IMAGE_STATE, TAG_STATE, SCAN_PROGRESSED]
    assert reports(sent) == [(REPOSITORY, UnitOutcome.STORED)]


def test_a_reading_of_one_page_is_not_staged() -> None:
    store = FakeSinkStore()
    work(store, observed(1, {"1": "a"}))
    assert store.tables.inserted[ListingPageRow] == 0
    assert store.tables.inserted[OutboxRow] == 1


def test_pages_are_staged_and_the_one_that_completes_them_decides() -> None:
    store = FakeSinkStore()
    assert work(store, page(1, 0, "a")) == []
    sent = work(store, page(1, 1, "b", last=True), first=1)
    assert reports(sent) == [(REPOSITORY, UnitOutcome.STORED)]
    assert set(store.tables.of(TagRow, PLACE)) == {"a", "b"}
    assert store.tables.of(OutboxRow, PLACE)[1].offset == 1


def test_a_batch_may_hold_a_whole_reading() -> None:
    sent = work(FakeSinkStore(), page(1, 0, "a"), page(1, 1, "b", last=True))
    assert len(events(sent)) == 4


def test_a_later_listing_of_the_batch_sees_what_an_earlier_one_decided() -> None:
    sent = work(FakeSinkStore(), observed(1, {"1": "a"}), observed(2, {"1": "b"}))
    assert sorted(events(sent)[2:]) == [
        "dev.tallyman.image.discovered",
        "dev.tallyman.image.removed",
        "dev.tallyman.tag.moved",
    ]


def test_an_older_listing_of_the_batch_is_skipped() -> None:
    sent = work(FakeSinkStore(), observed(2, {"1": "a"}), observed(1, {"1": "b"}))
    assert reports(sent) == [(REPOSITORY, UnitOutcome.STORED), (REPOSITORY, UnitOutcome.SKIPPED)]
    assert len(events(sent)) == 2


def test_a_message_that_comes_again_under_another_offset_tells_nothing() -> None:
    store = FakeSinkStore()
    work(store, observed(1, {"1": "a"}))
    assert work(store, observed(1, {"1": "b"}), first=1) == []


def test_a_message_worked_again_tells_the_same_bytes() -> None:
    store = FakeSinkStore()
    first = work(store, observed(1, {"1": "a"}))
    assert work(store, observed(1, {"1": "a"})) == first


def test_an_absence_is_decided_at_once() -> None:
    store = FakeSinkStore()
    work(store, observed(1, {"1": "a"}))
    sent = work(store, observed(2, reading=None, absent=True), first=1)
    assert sorted(events(sent)) == ["dev.tallyman.image.removed", "dev.tallyman.tag.removed"]
    assert run(store.known_repositories(REGISTRY)) == set()


def test_the_state_is_read_before_the_decisions_and_the_decision_stored_before_its_rows() -> None:
    steps = Steps()
    work(FakeSinkStore(pause=steps.pause), page(1, 0, "a"), page(1, 1, "b", last=True))
    reads = [name for name in steps.names if name not in ("insert", "inserted")]
    assert reads == ["pages", "pages", "first load", "state", "state", "state", "state", "decisions"]
    inserts = _inserts(observed(1, {"1": "a"}))
    assert inserts[0] is OutboxRow
    assert inserts[-1] is RepositoryRow


def _inserts(message: ImagesObserved) -> list[type]:
    """The classes of a message's rows, in the order in which they reach their tables."""
    seen: list[type] = []

    class Noting(Tables):
        def merge(self, row: object) -> None:
            seen.append(type(row))
            super().merge(row)

    work(FakeSinkStore(Noting()), message)
    return seen


MANY = [observed(1, {"1": "a", "2": "b"}), page(2, 0, "1"), page(2, 1, "3", last=True), observed(3, {"1": "c"})]
_STEPS = Steps()
run(listings(FakeSinkStore(pause=_STEPS.pause)).work(batch(*MANY)))


@pytest.mark.parametrize("crash", range(len(_STEPS.names)))
def test_a_batch_cut_short_at_any_step_tells_the_same_when_it_comes_again(crash: int) -> None:
    whole = list(run(listings(FakeSinkStore()).work(batch(*MANY))))
    tables = Tables()
    with pytest.raises(StoreUnavailable):
        run(listings(FakeSinkStore(tables, Steps(crash).pause)).work(batch(*MANY)))
    again = [run(listings(FakeSinkStore(tables)).work(one)) for one in ([r] for r in batch(*MANY))]
    assert [record for sent in again for record in sent] == whole


def test_a_unit_of_a_deleted_registry_is_skipped_once_and_changes_nothing() -> None:
    store = FakeSinkStore()
    sent = list(run(listings(store, deleted=True).work(batch(page(1, 0, "a"), page(1, 1, "b", last=True)))))
    assert reports(sent) == [(REPOSITORY, UnitOutcome.SKIPPED)]
    assert REASON_DELETED in sent[0].value.decode()
    assert not store.tables.inserted


def test_a_one_tag_reading_that_failed_is_decided_and_reported() -> None:
    failed = observed(1, failed=(Failure(what="1", reason="unreachable"),), kind=ScanKind.TAG)
    assert reports(work(FakeSinkStore(), failed)) == [(REPOSITORY, UnitOutcome.FAILED)]


def test_nothing_is_sent_without_a_batch() -> None:
    assert run(listings(FakeSinkStore()).idle()) == []
    assert list(run(listings(FakeSinkStore()).work([]))) == []


def _snapshots(sent: Iterable[Outgoing]) -> set[bool]:
    return {json.loads(record.value or b"")["snapshot"] for record in sent if record.topic is IMAGE_EVENTS}


def _end_of_load(store: FakeSinkStore, scan: int, status: ScanStatus, kind: ScanKind = ScanKind.FULL) -> None:
    ended = progressed(ScanEnded(status=status), scan, kind=kind)
    run(store.insert(list(unit_rows(ended, scan, BEGINNING))))


def test_what_a_first_load_finds_is_told_as_a_snapshot_until_it_has_ended() -> None:
    store = FakeSinkStore()
    working = listings(store)
    assert _snapshots(run(working.work(batch(observed(3, {"1": "a"}))))) == {True}
    _end_of_load(store, 3, "partial")
    assert _snapshots(run(working.work(batch(observed(4, {"1": "b"}), first=1)))) == {False}
    late = observed(3, {"1": "c"}, repository="late")
    assert _snapshots(run(working.work(batch(late, first=2)))) == {True}


def test_a_load_that_read_nothing_or_little_was_no_first_load() -> None:
    store = FakeSinkStore()
    _end_of_load(store, 1, "failed")
    _end_of_load(store, 2, "cancelled")
    _end_of_load(store, 3, "complete", ScanKind.REPOSITORY)
    assert _snapshots(run(listings(store).work(batch(observed(4, {"1": "a"}))))) == {True}


def test_a_tag_that_a_webhook_tells_is_no_snapshot_though_the_first_load_runs() -> None:
    pushed = observed(1, {"1": "a"}, context=context(1, ScanKind.TAG, reason=ScanReason.WEBHOOK))
    assert _snapshots(run(listings(FakeSinkStore()).work(batch(pushed)))) == {False}


def test_a_decision_keeps_that_it_was_a_snapshot() -> None:
    store = FakeSinkStore()
    first = work(store, observed(1, {"1": "a"}))
    _end_of_load(store, 1, "complete")
    assert work(store, observed(1, {"1": "a"})) == first
