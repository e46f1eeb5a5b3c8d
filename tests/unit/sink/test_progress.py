"""A batch of scan progress: catalogs answered, ends told once, stalled scans timed out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.sink.decide import Fuse
from services.sink.ports import Clocks, Outgoing
from services.sink.progress import ScanProgress
from services.sink.sending import Sending
from services.sink.stalls import Level, Stalls
from shared.messages.codec import decode
from shared.messages.images_observed import ImagesObserved
from shared.messages.model import ScanKind, ScanReason
from shared.messages.scan_progressed import (
    CatalogClosed,
    CatalogPage,
    Progress,
    ScanEnded,
    ScanProgressed,
    ScanStarted,
    ScanTimedOut,
    UnitOutcome,
    UnitReported,
)
from shared.messages.topics import IMAGE_EVENTS, IMAGES_OBSERVED, SCAN_PROGRESSED, TAGS_FOUND
from shared.store.rows import OutboxRow, RepositoryRow, ScanUnitRow
from tests.fakes.sink_store import FakeSinkStore, Tables
from tests.unit.sink.samples import BEGINNING, NO_FUSE, REGISTRY, OneRegistry, Queues, batch, context, progressed, run

STARTED = ScanStarted(request="r", reason=ScanReason.MANUAL, at=BEGINNING)
CATALOG = CatalogPage(page=0, names=("a", "b"), last=True)
CLOSED = CatalogClosed(complete=True)
A, B = (UnitReported(repository=name, outcome=UnitOutcome.STORED) for name in "ab")


@dataclass
class Owner:
    """Who works a partition of progress, with a clock to be set."""

    tables: Tables = field(default_factory=Tables)
    fuse: Fuse = NO_FUSE
    now: float = 0.0

    def __post_init__(self) -> None:
        self.registries = OneRegistry()
        clocks = Clocks(lambda: BEGINNING, lambda: self.now)
        store = FakeSinkStore(self.tables)
        self.queues = Queues()
        stalls = Stalls(60.0)
        self.progress = ScanProgress(0, store, self.registries, self.fuse, Sending(), stalls, self.queues, clocks)
        self._next = 0

    def work(self, *steps: Progress, at: int | None = None) -> list[Outgoing]:
        """Work steps of scan 1 in one batch, where the log stands or at an offset."""
        first = self._next if at is None else at
        self._next = first + len(steps)
        return run(self.progress.work(batch(*(progressed(step) for step in steps), first=first)))

    def idle(self) -> list[Outgoing]:
        return run(self.progress.idle())

    def knows(self, *repositories: str) -> None:
        """Let these repositories be present in the store."""
        for name in repositories:
            self.tables.merge(RepositoryRow(REGISTRY, name, True, 0, None, BEGINNING))


def told(sent: Sequence[Outgoing]) -> list[Progress]:
    return [decode(ScanProgressed, one.value, 0).progress for one in sent if one.topic is SCAN_PROGRESSED]


def absences(sent: Sequence[Outgoing]) -> list[str]:
    messages = [decode(ImagesObserved, one.value, 0) for one in sent if one.topic is IMAGES_OBSERVED]
    assert all(message.absent for message in messages)
    return [message.repository for message in messages]


def test_the_last_catalog_page_is_answered_with_an_absence_for_each_known_repository_it_does_not_name() -> None:
    owner = Owner()
    owner.knows("a", "gone", "lost")
    sent = owner.work(
        STARTED, CatalogPage(page=0, names=("a",), last=False), CatalogPage(page=1, names=("b",), last=True)
    )
    assert absences(sent) == ["gone", "lost"]
    assert told(sent) == [CatalogClosed(absent=("gone", "lost"), complete=True)]


def test_a_page_before_the_last_is_not_answered() -> None:
    owner = Owner()
    owner.knows("gone")
    assert owner.work(CatalogPage(page=0, names=("a",), last=False)) == []


def test_a_catalog_that_broke_off_proves_nothing_absent() -> None:
    owner = Owner()
    owner.knows("gone")
    sent = owner.work(CatalogPage(page=0, names=("a",), last=True, complete=False))
    assert (absences(sent), told(sent)) == ([], [CatalogClosed(complete=False)])


def test_a_catalog_of_one_repository_proves_no_other_absent() -> None:
    owner = Owner()
    owner.knows("gone")
    assert absences(owner.work(CatalogPage(page=0, names=("a",), last=True, proves=False))) == []


def test_a_catalog_that_would_remove_too_many_is_held() -> None:
    owner = Owner(fuse=Fuse(share=0.5, minimum=2))
    owner.knows("a", "b", "c", "d", "e")
    sent = owner.work(CATALOG)
    assert absences(sent) == []
    assert told(sent) == [CatalogClosed(held=("c", "d", "e"), complete=True)]


def test_a_confirmed_scan_passes_the_catalogs_fuse() -> None:
    owner = Owner(fuse=Fuse(share=0.5, minimum=2))
    owner.knows("a", "b", "c", "d", "e")
    message = ScanProgressed(context=context(confirmed=True), progress=CATALOG)
    assert absences(run(owner.progress.work(batch(message)))) == ["c", "d", "e"]


def test_absences_lie_where_the_repository_does() -> None:
    owner = Owner()
    owner.knows("gone")
    place = context(slot=5, shards=3, partitions=7)
    sent = run(owner.progress.work(batch(ScanProgressed(context=place, progress=CATALOG))))
    (absence,) = [one for one in sent if one.topic is IMAGES_OBSERVED]
    assert absence.key == b"registry1/gone"
    assert absence.partition in (5, 6, 0)
    assert decode(ImagesObserved, absence.value, 0).context == place


def test_the_message_that_completes_a_scan_ends_it_with_an_event_and_word_of_it() -> None:
    owner = Owner()
    assert told(owner.work(STARTED, CATALOG)) == [CLOSED]
    assert owner.work(CLOSED, A) == []
    sent = owner.work(B)
    assert [one.topic for one in sent] == [IMAGE_EVENTS, SCAN_PROGRESSED]
    assert told(sent) == [ScanEnded(status="complete")]


def test_a_scan_ends_once_however_much_comes_after() -> None:
    owner = Owner()
    owner.work(STARTED, CATALOG, CLOSED, A, B)
    assert owner.work(ScanEnded(status="complete"), B, ScanTimedOut(stalled_seconds=1), A) == []


def test_an_end_that_was_told_is_not_told_again_by_whoever_takes_over() -> None:
    owner = Owner()
    owner.work(STARTED, CATALOG, CLOSED, A, B)
    assert Owner(owner.tables).work(B, at=5) == []


def test_an_end_whose_batch_comes_again_is_told_with_the_same_bytes() -> None:
    owner = Owner()
    owner.work(STARTED, CATALOG, CLOSED, A)
    first = owner.work(B, at=4)
    assert Owner(owner.tables).work(B, at=4) == first


def test_a_successor_goes_on_from_the_rows() -> None:
    owner = Owner()
    owner.work(STARTED, CATALOG, CLOSED, A)
    assert told(Owner(owner.tables).work(B, at=4)) == [ScanEnded(status="complete")]


def test_what_a_failed_batch_counted_is_forgotten() -> None:
    owner = Owner()
    owner.work(STARTED, CATALOG, CLOSED)
    owner.work(A, B, at=3)
    del owner.tables.rows[OutboxRow]  # as if the batch had failed before its end was kept
    del owner.tables.rows[ScanUnitRow][REGISTRY, 1][("b", "stored", 0)]
    owner.progress.reset()
    assert told(owner.work(A, B, at=3)) == [ScanEnded(status="complete")]


def test_a_time_out_ends_the_scan_partial_and_names_what_is_missing() -> None:
    owner = Owner()
    sent = owner.work(STARTED, CATALOG, CLOSED, A, ScanTimedOut(stalled_seconds=60))
    assert told(sent)[-1] == ScanEnded(status="partial")
    named = [row for row in owner.tables.of(ScanUnitRow, (REGISTRY, 1)).values() if row.state == "timeout"]
    assert sorted(row.repository for row in named) == ["", "b"]


def test_a_unit_that_comes_after_the_time_out_is_kept_and_ends_nothing() -> None:
    owner = Owner()
    owner.work(STARTED, CATALOG, CLOSED, A, ScanTimedOut(stalled_seconds=60))
    assert owner.work(B) == []
    assert ("b", "stored", 0) in owner.tables.of(ScanUnitRow, (REGISTRY, 1))


def test_a_scan_of_which_nothing_is_heard_is_timed_out_by_a_message() -> None:
    owner = Owner()
    owner.work(STARTED, CATALOG)
    owner.now = 59.0
    assert owner.idle() == []
    owner.now = 60.0
    sent = owner.idle()
    assert told(sent) == [ScanTimedOut(stalled_seconds=60.0)]
    assert decode(ScanProgressed, sent[0].value, 0).context == context()
    assert owner.idle() == []  # told once in a while, not at every look


def test_a_scan_whose_work_waits_in_a_queue_that_moves_is_not_timed_out() -> None:
    owner = Owner()
    owner.work(STARTED, CATALOG)
    owner.queues.told = {(TAGS_FOUND.name, 0): Level(done=100, end=500)}
    owner.now = 60.0
    assert owner.idle() == []
    owner.queues.told = {(TAGS_FOUND.name, 0): Level(done=500, end=500)}
    owner.now = 120.0
    assert told(owner.idle()) == [ScanTimedOut(stalled_seconds=60.0)]


def test_a_scan_that_ended_is_never_timed_out() -> None:
    owner = Owner()
    owner.work(STARTED, CATALOG, CLOSED, A, B)
    owner.now = 1000.0
    assert owner.idle() == []


def test_a_new_owner_watches_the_scans_that_were_running() -> None:
    owner = Owner()
    owner.registries.running = [context(7, ScanKind.FULL)]
    assert owner.idle() == []
    owner.now = 60.0
    (timed_out,) = owner.idle()
    assert decode(ScanProgressed, timed_out.value, 0).context.scan == 7
