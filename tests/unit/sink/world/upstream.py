"""The stages before the sink: they read the truth a page at a time, crash, and work their messages again.

Messages of one line are worked one after another. A crash works the last few again; the worker that was thought dead
may go on for a while beside its successor.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from services.units import unit_failed
from shared.messages.images_observed import ImagesObserved, ObservedTag
from shared.messages.model import Failure, Reading, ScanContext, ScanKind, ScanReason
from shared.messages.scan_progressed import CatalogPage, ScanProgressed, ScanStarted
from shared.oci.digest import Digest
from shared.store.rows import ImageRow, TagRow
from tests.fakes.sink_store import Tables
from tests.unit.sink.world.log import Log
from tests.unit.sink.world.truth import MEMBERS, REPOSITORIES, TAGS, Place, Truth, facts_of
from tests.unit.sink.world.weather import Weather

_NAMES_PER_PAGE: Final = 2
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
_BROKEN: Final = Failure(what="list", reason="unreachable", detail="The registry did not answer.")


@dataclass(frozen=True)
class Asked:
    """A scan's request. repository, tag: of one that reads no more than these."""

    context: ScanContext
    repository: str | None = None
    tag: str | None = None


@dataclass(frozen=True)
class _Catalog:
    asked: Asked
    after: str = ""
    page: int = 0


@dataclass(frozen=True)
class _Tags:
    asked: Asked
    repository: str
    reading: str = ""
    follows: str | None = None
    after: str = ""
    page: int = 0


@dataclass(frozen=True)
class _Page:
    asked: Asked
    repository: str
    reading: Reading
    names: tuple[str, ...]
    whole: bool = True


_Task = _Catalog | _Tags | _Page


@dataclass
class _Line:
    """Messages worked one after another.  at: the one at work."""

    tasks: list[_Task] = field(default_factory=list)
    at: int = 0
    running: Iterator[None] | None = None


Key = tuple[str, str, int]
"""Registry, repository ("" for the catalog) and scan."""


@dataclass(frozen=True)
class SeenPage:
    """What one working of a page saw."""

    reading: Reading
    tags: Mapping[str, Digest]


@dataclass
class Reads:
    """What the stages saw for a scan: where tags pointed, and which names were missing where they would have stood.

    pages: by leg and page, all workings of it.
    """

    pages: dict[Key, dict[tuple[str, int], list[SeenPage]]] = field(default_factory=lambda: defaultdict(dict))
    digests: dict[Key, set[tuple[str, Digest]]] = field(default_factory=lambda: defaultdict(set))
    missing: dict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))

    def listed(self, key: Key, every: Iterable[str], after: str, names: Sequence[str], *, last: bool) -> None:
        """Note a page of a list: of `every` name there may be, those after the cursor that it passed over."""
        self.missing[key].update(
            name for name in every if name > after and (last or name < names[-1]) and name not in names
        )

    def seen(self, key: Key, page: SeenPage) -> None:
        """Note a page."""
        self.pages[key].setdefault((page.reading.leg, page.reading.page), []).append(page)

    def readings(self, key: Key) -> Iterator[list[list[SeenPage]]]:
        """Yield each whole reading, from its last page to its first, all workings of each page."""
        pages = self.pages[key]
        for workings in pages.values():
            if workings[0].reading.last and (chain := _back_to_first(pages, workings)):
                yield chain


def _back_to_first(
    pages: Mapping[tuple[str, int], list[SeenPage]], last: list[SeenPage]
) -> list[list[SeenPage]] | None:
    chain = [last]
    while (at := chain[-1][0].reading).page > 0:
        before = pages.get((at.leg, at.page - 1)) or pages.get((at.follows or "", at.page - 1))
        if before is None:
            return None
        chain.append(before)
    return chain


class Upstream:
    """Lister, tagger and manifester.

    lost: (registry, scan) of which a message was lost, so that nothing but a time-out can end it.
    """

    def __init__(
        self,
        rng: random.Random,
        weather: Weather,
        truth: Truth,
        log: Log,
        tables: Tables,
        clock: Callable[[], int],
    ) -> None:
        self._rng = rng
        self._truth = truth
        self._log = log
        self._tables = tables
        self._clock = clock
        self._lines: dict[tuple[str, str, str | int], _Line] = defaultdict(_Line)
        self._ghosts: list[Iterator[None]] = []
        self._weather = weather
        self.reads = Reads()
        self.lost: set[tuple[str, int]] = set()

    def ask(self, asked: Asked) -> None:
        """Take a request."""
        self._queue(_Catalog(asked))

    @property
    def busy(self) -> bool:
        return any(line.at < len(line.tasks) for line in self._lines.values())

    def step(self) -> bool:
        """Let one of the workers go on; return False when there is nothing to do."""
        if self._ghosts and self._chance(0.2):
            ghost = self._rng.choice(self._ghosts)
            if self._chance(0.1) or next(ghost, self) is self:
                self._ghosts.remove(ghost)
            return True
        ready = self._ready()
        if not ready:
            return False
        self._advance(self._rng.choice(ready))
        return True

    def calm(self, weather: Weather) -> None:
        """From now on the weather is calm; those that were thought dead are."""
        self._weather = weather
        self._ghosts.clear()

    def _ready(self) -> list[_Line]:
        return [line for line in self._lines.values() if line.at < len(line.tasks)]

    def _advance(self, line: _Line) -> None:
        task = line.tasks[line.at]
        running = line.running = line.running or self._work(task)
        over = next(running, self) is self
        if self._chance(self._weather.stage_crashes if over else self._weather.stage_crashes / 2):
            if not over and self._chance(0.3):
                self._ghosts.append(running)
            line.running = None
            line.at = max(0, line.at - self._rng.choice((0, 0, 1, 2)))
        elif over:
            line.running = None
            line.at += 1

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share

    def _queue(self, task: _Task) -> None:
        context = task.asked.context
        match task:
            case _Catalog():
                self._lines[context.registry, "catalog", context.scan].tasks.append(task)
            case _Tags():
                self._lines[context.registry, "tags", task.repository].tasks.append(task)
            case _Page():
                self._lines[context.registry, "pages", task.repository].tasks.append(task)

    def _work(self, task: _Task) -> Iterator[None]:
        match task:
            case _Catalog():
                return self._list_repositories(task)
            case _Tags():
                return self._list_tags(task)
            case _Page():
                return self._read_manifests(task)

    def _progress(self, asked: Asked, progress: ScanStarted | CatalogPage) -> None:
        self._log.append(ScanProgressed(context=asked.context, progress=progress))

    def _fresh_id(self) -> str:
        return f"{self._rng.getrandbits(48):012x}"

    @property
    def _now(self) -> datetime:
        return _BEGINNING + timedelta(seconds=self._clock())

    def _list_repositories(self, task: _Catalog) -> Iterator[None]:
        asked, after, page = task.asked, task.after, task.page
        registry, scan = asked.context.registry, asked.context.scan
        if page == 0:
            self._progress(asked, ScanStarted(request=f"{registry}-{scan}", reason=ScanReason.MANUAL, at=self._now))
        if asked.repository is not None:
            self._queue(_Tags(asked, asked.repository))
            self._progress(asked, CatalogPage(page=0, names=(asked.repository,), last=True, proves=False))
            return
        while True:
            yield
            if self._chance(self._weather.unread):
                self._progress(asked, CatalogPage(page=page, last=True, complete=False, failures=(_BROKEN,)))
                return
            names = [name for name in self._truth.names(registry) if name > after][:_NAMES_PER_PAGE]
            last = len(names) < _NAMES_PER_PAGE
            self.reads.listed((registry, "", scan), REPOSITORIES, after, names, last=last)
            for name in names:
                self._queue(_Tags(asked, name))
            self._progress(asked, CatalogPage(page=page, names=tuple(names), last=last, requests=1))
            if last:
                return
            after, page = names[-1], page + 1
            if self._chance(0.3):
                self._queue(_Catalog(asked, after, page))
                return

    def _list_tags(self, task: _Tags) -> Iterator[None]:
        """Read the tags from where the task stands; now and then a page repeats the last name of the one before."""
        asked, after, page = task.asked, task.after, task.page
        leg = self._fresh_id()
        reading = task.reading or leg
        place = (asked.context.registry, task.repository)

        def told(names: tuple[str, ...], *, last: bool, whole: bool = True) -> _Page:
            there = Reading(id=reading, leg=leg, follows=task.follows, page=page, last=last)
            return _Page(asked, task.repository, there, names, whole)

        if asked.tag is not None:
            yield
            self._queue(told((asked.tag,), last=True))
            return
        while True:
            yield
            unknown = place not in self._truth.repositories and asked.context.kind is not ScanKind.FULL
            if unknown or self._chance(self._weather.unread):
                self._queue(told((), last=True, whole=False))
                return
            names = [name for name in sorted(self._truth.repositories.get(place, ())) if name > after]
            names = names[: self._weather.tags_per_page]
            last = len(names) < self._weather.tags_per_page
            self.reads.listed((*place, asked.context.scan), TAGS, after, names, last=last)
            repeated = (after,) if after and self._chance(0.1) else ()
            self._queue(told((*repeated, *names), last=last))
            if last:
                return
            after, page = names[-1], page + 1
            if self._chance(self._weather.continuations):
                self._queue(_Tags(asked, task.repository, reading, leg, after, page))
                return

    def _read_manifests(self, task: _Page) -> Iterator[None]:
        context, place = task.asked.context, (task.asked.context.registry, task.repository)
        key = (*place, context.scan)
        known = self._known_tags(place)
        tags: dict[str, Digest] = {}
        failed: list[str] = []
        gone: list[str] = []
        for name in task.names:
            if self._chance(0.5):
                yield
            digest = self._truth.repositories.get(place, {}).get(name)
            if self._chance(self._weather.unread):
                failed.append(name)
            elif digest is None:
                gone.append(name)
                self.reads.missing[key].add(name)
            else:
                tags[name] = digest
                self.reads.digests[key].add((name, digest))
        yield
        given_up = self._chance(self._weather.unread / 3)
        self.reads.seen(key, SeenPage(task.reading, {} if given_up else tags))
        facts = {
            fact.digest: fact for name, digest in tags.items() if known.get(name) != digest for fact in facts_of(digest)
        }
        facts |= {digest: facts_of(digest)[0] for name, digest in tags.items() if known.get(name) != digest}
        message = ImagesObserved(
            context=context,
            repository=task.repository,
            reading=task.reading,
            complete=task.whole and not given_up,
            failures=() if task.whole and not given_up else (_BROKEN,),
            failed=tuple(Failure(what=name, reason="unreachable") for name in (task.names if given_up else failed)),
            tags=() if given_up else tuple(ObservedTag(name=name, digest=digest) for name, digest in tags.items()),
            gone=() if given_up else tuple(gone),
            manifests=() if given_up else tuple(facts.values()),
            requests=len(task.names),
            observed_at=self._now,
        )
        self._send(message)

    def _send(self, message: ImagesObserved) -> None:
        context = message.context
        if self._chance(self._weather.lost):
            self.lost.add((context.registry, context.scan))
        elif self._chance(self._weather.unreadable):
            why = Failure(what=message.repository, reason="message_unreadable")
            self._log.append(unit_failed(context, message.repository, why))
        else:
            self._log.append(message)

    def _known_tags(self, place: Place) -> dict[str, Digest]:
        """Return the tags whose digest need not be read again, as the store knows them."""
        images = self._tables.of(ImageRow, place)
        return {
            tag: row.digest
            for tag, row in self._tables.of(TagRow, place).items()
            if row.present and all(digest in images for digest in (row.digest, *MEMBERS.get(row.digest, ())))
        }
