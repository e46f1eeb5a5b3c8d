"""One world: who goes on next, who crashes, who sleeps; all by the seed."""

import random
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from services.sink.listings import Listings
from services.sink.ports import Clocks, Work
from services.sink.progress import ScanProgress
from services.sink.registries import ConnectedRegistries
from services.sink.sending import Sending
from services.sink.stalls import Stalls
from shared.connections.records import Recorded
from shared.messages.connection_changed import Connection
from shared.messages.images_observed import ImagesObserved
from shared.messages.model import Message, ScanContext, ScanKind
from shared.messages.topics import IMAGES_OBSERVED, SCAN_PROGRESSED
from shared.oci.digest import Digest
from shared.store.errors import StoreUnavailable
from tests.fakes.sink_store import FakeSinkStore, Tables
from tests.unit.sink.samples import Queues
from tests.unit.sink.world.log import Log, Source
from tests.unit.sink.world.owners import Owner, Turn, own
from tests.unit.sink.world.told import Broken, Told
from tests.unit.sink.world.truth import DIGESTS, REPOSITORIES, TAGS, Place, Truth
from tests.unit.sink.world.upstream import Asked, Upstream
from tests.unit.sink.world.weather import weather

PARTITIONS: Final = 3
SHARDS: Final = 2
REGISTRIES: Final = {"registry0": 0, "registry1": 1}
"""The registries and their slots: they share a partition."""

PLACES: Final = tuple((registry, repository) for registry in REGISTRIES for repository in REPOSITORIES)

SOURCES: Final = (
    *(Source(IMAGES_OBSERVED.name, partition) for partition in range(PARTITIONS)),
    *(Source(SCAN_PROGRESSED.name, slot) for slot in REGISTRIES.values()),
)
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
_PATIENCE: Final = 60_000
_CRASHES_AT_MOST: Final = 40


@dataclass(frozen=True)
class Variant:
    """How a world differs from the right one: a mistake that the hunt has to find.

    rough, weather: in which it shows soonest.  shown_by: the seed of a world that shows it.
    """

    store: type[FakeSinkStore] = FakeSinkStore
    tables: type[Tables] = Tables
    message: Callable[[Message], Message] | None = None
    fences: bool = True
    resets: bool = True
    rough: bool = True
    weather: Mapping[str, Any] = field(default_factory=dict)
    shown_by: int = 0


RIGHT: Final = Variant()


class Connections:
    """The two registries' connections; nothing becomes of them."""

    async def get(self, registry: str, offset: int) -> Connection | None:
        return connection(registry)

    def all(self) -> Collection[tuple[Connection, int]]:
        return [(connection(registry), 0) for registry in REGISTRIES]

    async def changes(self) -> AsyncIterator[Recorded]:
        return
        yield


@cache
def connection(registry: str) -> Connection:
    return Connection(
        registry=registry, slot=REGISTRIES[registry], shards=SHARDS, name=registry, host=f"https://{registry}.test"
    )


class World:
    """Truth, stages, log, store, owners."""

    def __init__(self, seed: int, *, rough: bool, variant: Variant = RIGHT) -> None:
        self.rng: Final = random.Random(seed)
        self.weather = replace(weather(self.rng, rough=rough), **variant.weather)
        self.now = 0
        self.truth: Final = Truth()
        self.tables: Final = variant.tables()
        self.log: Final = Log(self._clock, fences=variant.fences, altered=variant.message)
        self.upstream: Final = Upstream(self.rng, self.weather, self.truth, self.log, self.tables, self._clock)
        self.observed: Final[dict[tuple[str, str, int], tuple[str, Digest] | None]] = {}
        self.told: Final = Told(self.upstream.reads, self.observed, expires=self.weather.expires)
        self.scans: Final[dict[tuple[str, int], Asked]] = {}
        self._focus: Final = self.rng.choice(PLACES)
        self._variant: Final = variant
        self._skipped_seconds = 0.0
        self._crashes_left = _CRASHES_AT_MOST
        self._heard = 0
        self._read: Final = dict.fromkeys(SOURCES, 0)
        self._sleepers: Final[list[Owner]] = []
        self._owners: Final = {source: self._owner(source) for source in SOURCES}

    def _clock(self) -> int:
        return self.now

    def ask(self, kind: ScanKind, place: Place, tag: str | None = None, *, confirmed: bool = False) -> ScanContext:
        """Request a scan: of the place's registry, of the place, or of one tag there."""
        registry, repository = place
        scan = 1 + len(self.scans)
        context = ScanContext(
            registry=registry,
            scan=scan,
            kind=kind,
            connection=0,
            slot=REGISTRIES[registry],
            shards=SHARDS,
            partitions=PARTITIONS,
            confirmed=confirmed,
        )
        asked = Asked(context, None if kind is ScanKind.FULL else repository, tag)
        self.scans[registry, scan] = asked
        self.upstream.ask(asked)
        return context

    def place(self) -> Place:
        """Return a place; one of them is where the most happens."""
        return self._focus if self.rng.random() < self.weather.focus else self.rng.choice(PLACES)

    def tag(self, place: Place) -> str:
        """Return a tag, as a rule one that is there."""
        there = sorted(self.truth.repositories.get(place, ()))
        return self.rng.choice(there) if there and self.rng.random() < 0.8 else self.rng.choice(TAGS)

    def change(self, *, drastic: float) -> None:
        """Change something in a registry; `drastic` is the share of changes that meet a whole repository."""
        place, chance = self.place(), self.rng.random()
        if chance < drastic / 2:
            self.truth.repositories.pop(place, None)
        elif chance < drastic:
            self.truth.repositories[place] = {}
        else:
            digest = None if self.rng.random() < 0.25 else self.rng.choice(DIGESTS)
            self.truth.point(place, self.rng.choice(TAGS), digest)

    def step(self) -> None:
        """Let one of all those at work go on."""
        self.now += 1
        if self.rng.random() < self.weather.changes:
            self.change(drastic=0.03)
        if self._crashes_left and self.rng.random() < self.weather.owner_crashes:
            self._crash()
        chance = self.rng.random()
        if self._sleepers and chance < 0.2:
            self._wake()
        elif chance < 0.65 or not self.upstream.step():
            self._work()
        self._hear()

    def settle(self) -> None:
        """Go on until everything is worked. Raises Broken when that never comes."""
        for _ in range(_PATIENCE):
            if not self._busy():
                return
            self.step()
        raise Broken("never settles")

    def finish(self) -> None:
        """Go on until all scans have ended. Raises Broken where one needs a time-out though nothing was lost."""
        self.settle()
        for _ in range(6):
            running = [key for key in self.scans if key not in self.told.ended]
            if not running:
                return
            unexplained = [key for key in running if key not in self.upstream.lost]
            if unexplained:
                raise Broken(f"scans do not end: {unexplained}")
            self._let_time_pass()
        raise Broken("scans do not time out")

    def rouse_sleepers(self) -> None:
        """Let everyone that was thought dead go on to its end."""
        while self._sleepers:
            self.now += 1
            self._go_on(self.rng.choice(self._sleepers))
            self._hear()
        self.settle()

    def close(self) -> None:
        """End everything."""
        for owner in (*self._owners.values(), *self._sleepers):
            owner.working.close()

    def become_quiet(self) -> None:
        """From now on nothing changes, fails or crashes."""
        self.weather = self.weather.calmed()
        self.upstream.calm(self.weather)

    def _busy(self) -> bool:
        return self.upstream.busy or not all(self.log.is_worked(source) for source in SOURCES)

    def _let_time_pass(self) -> None:
        self._skipped_seconds += self.weather.stall_seconds + 1
        for source in SOURCES:
            for _ in range(10):
                self.now += 1
                self._go_on_working(self._owners[source])
        self._hear()
        self.settle()

    # Those who work the partitions.

    def _owner(self, source: Source) -> Owner:
        work = self._work_of(source)
        batch = lambda: self.rng.choice((1, 1, 2, 3, 5, 8))  # noqa: E731 - two one-word rules of this owner
        fails = lambda: self.rng.choice(("before", "after")) if self.rng.random() < self.weather.outages else None  # noqa: E731
        return Owner(source, own(source, self.log, work, self._pause, batch, fails, resets=self._variant.resets))

    def _work_of(self, source: Source) -> Work[Any]:
        store = self._variant.store(self.tables, self._pause, lambda parts: self.rng.sample(parts, len(parts)))
        registries = ConnectedRegistries(Connections(), store, PARTITIONS)
        clocks = Clocks(
            now=lambda: _BEGINNING + timedelta(seconds=self.now), monotonic=lambda: self.now + self._skipped_seconds
        )
        if source.topic == IMAGES_OBSERVED.name:
            return Listings(store, registries, self.weather.fuse, Sending(), clocks)
        return ScanProgress(
            source.partition,
            store,
            registries,
            self.weather.fuse,
            Sending(),
            Stalls(self.weather.stall_seconds),
            Queues(),
            clocks,
        )

    async def _pause(self, step: str) -> None:
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            await Turn(step)
        if self.rng.random() < self.weather.outages / 4:
            raise StoreUnavailable("The store does not answer.")

    def _crash(self) -> None:
        """An owner in the middle of its work dies, or is only thought dead; somebody else takes over."""
        working = [source for source in SOURCES if not self.log.is_worked(source)]
        if not working:
            return
        self._crashes_left -= 1
        source = self.rng.choice(working)
        owner = self._owners[source]
        if self.rng.random() < 0.75:
            owner.sleeps_until = self.now + self.rng.choice((0, 0, 20, 100, 400))
            self._sleepers.append(owner)
        else:
            owner.working.close()
        self._owners[source] = self._owner(source)

    def _wake(self) -> None:
        sleeper = self.rng.choice(self._sleepers)
        if sleeper.sleeps_until <= self.now:
            self._go_on(sleeper)

    def _go_on(self, sleeper: Owner) -> None:
        if not sleeper.step() or sleeper.idle:
            sleeper.working.close()
            self._sleepers.remove(sleeper)

    def _work(self) -> None:
        """Let an owner go on; one that has nothing to do is asked now and then."""
        idle = self.rng.random() < 0.1
        ready = [
            owner for owner in self._owners.values() if idle or not owner.idle or not self.log.is_worked(owner.source)
        ]
        if not ready:
            return
        self._go_on_working(self.rng.choice(ready))

    def _go_on_working(self, owner: Owner) -> None:
        if not owner.step():
            self._owners[owner.source] = self._owner(owner.source)  # fenced by a sleeper: the process starts again

    # What is told, and what is forgotten.

    def _hear(self) -> None:
        if self._heard == len(self.log.publications):
            return
        self._note_one_tag_readings()
        new, self._heard = self.log.publications[self._heard :], len(self.log.publications)
        for publication in new:
            for ended in self.told.hear(publication):
                if not self.weather.rough and ended.status == "complete" and ended.context.kind is ScanKind.FULL:
                    self.compare("told by a complete scan", ended.context.registry)
        if self.weather.expires:
            self._forget()

    def compare(self, what: str, registry: str) -> None:
        """Raise Broken where what was told is not what is true."""
        if differences := self.told.inventory(registry).differences(self.truth.inventory(registry)):
            raise Broken(f"{what} differs from the truth: {registry} {differences}")

    def _note_one_tag_readings(self) -> None:
        for source in SOURCES[:PARTITIONS]:
            new = self.log.all(source)[self._read[source] :]
            self._read[source] += len(new)
            for record in new:
                message = record.message
                assert isinstance(message, ImagesObserved)
                if message.context.kind is ScanKind.TAG:
                    key = (message.context.registry, message.repository, message.context.scan)
                    seen = (message.tags[0].name, message.tags[0].digest) if message.tags else None
                    self.observed.setdefault(key, seen)

    def _forget(self) -> None:
        """Let old decisions expire: published ones, of sources where nobody has slept for the thirty days since."""
        slept = {sleeper.source for sleeper in self._sleepers}
        for source in sorted(self.told.decided.keys() - slept):
            for decided in self.told.decided[source][-3:]:
                if self.rng.random() < 0.03:
                    self.tables.expire(*decided.place, decided.context.scan)
