"""What must be so at the end of a run, whatever happened in it."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby

from shared.messages.scan_progressed import (
    CatalogClosed,
    CatalogPage,
    ScanProgressed,
    ScanTimedOut,
    UnitOutcome,
    UnitReported,
)
from shared.store.rows import ImageRow, IndexChildRow, RepositoryRow, ScanUnitRow, TagMoveRow, TagRow
from tests.fakes.sink_store import LATEST, Tables
from tests.unit.sink.world.scheduler import REGISTRIES, SOURCES, World
from tests.unit.sink.world.told import Broken, Told
from tests.unit.sink.world.truth import KINDS, Inventory, Truth, reached_from


def check(world: World) -> None:
    """Hold all promises that need no quiet. Raises Broken."""
    for registry in REGISTRIES:
        if differences := _kept(world.tables, registry).differences(world.told.inventory(registry)):
            raise Broken(f"state differs from what was told: {registry} {differences}")
        if differences := world.told.compacted(registry).differences(world.told.inventory(registry)):
            raise Broken(f"the state topics differ from the events: {registry} {differences}")
    _check_rows(world.tables)
    _check_history(world.tables, world.told)
    for place, full in world.told.full.items():
        row = world.tables.of(RepositoryRow, place).get(LATEST)
        if row is None or row.full != full:
            raise Broken(f"the repository's row is not of its last listing: {row}, last {full}")
    _check_endings(world)


def check_quiet(world: World) -> None:
    """Hold what is promised once a quiet scan has ended: told, kept and true are one. Raises Broken."""
    check(world)
    for registry in REGISTRIES:
        world.compare("after a quiet scan told", registry)
        if differences := _manifests(world.tables, world.truth, registry):
            raise Broken(f"indexes or artifacts differ from the truth: {differences}")


def _kept(tables: Tables, registry: str) -> Inventory:
    tags = [row for group in tables.rows[TagRow].values() for row in group.values()]
    images = [row for group in tables.rows[ImageRow].values() for row in group.values()]
    return Inventory(
        tags={(row.repository, row.tag): row.digest for row in tags if row.present and row.registry == registry},
        images=frozenset(
            (row.repository, row.digest)
            for row in images
            if row.present and row.kind == "image" and row.registry == registry
        ),
    )


def _manifests(tables: Tables, truth: Truth, registry: str) -> str:
    """Return how the present manifests of all kinds differ from those the truth's tags reach, "" when they do not."""
    told = []
    for place, tags in truth.repositories.items():
        kept = {digest for digest, row in tables.of(ImageRow, place).items() if row.present}
        if place[0] == registry and kept != reached_from(tags.values()):
            told.append(f"{place} {sorted(kept ^ reached_from(tags.values()))}")
    return " ".join(told)


def _check_rows(tables: Tables) -> None:
    """Tags, images and members hang together."""
    for place in tables.groups(TagRow):
        images = tables.of(ImageRow, place)
        for tag in tables.of(TagRow, place).values():
            if tag.present and not (tag.digest in images and images[tag.digest].present):
                raise Broken(f"tag points to an absent manifest: {tag}")
    for place in tables.groups(IndexChildRow):
        images = tables.of(ImageRow, place)
        for member in tables.of(IndexChildRow, place).values():
            if member.present != images[member.index].present:
                raise Broken(f"member is not as present as its index: {member}")
            if member.present and not images[member.child].present:
                raise Broken(f"present member is an absent image: {member}")
    for place in tables.groups(ImageRow):
        for image in tables.of(ImageRow, place).values():
            if image.kind != KINDS[image.digest]:
                raise Broken(f"image of a wrong kind: {image}")


def _check_history(tables: Tables, told: Told) -> None:
    """Each tag's moves are a chain, they end where the tag is, and they are what was told."""
    events = {
        (event.place, event.tag, event.scan, event.data["from"], event.data["to"]) for event in told.events if event.tag
    }
    moves = set()
    for place in tables.groups(TagMoveRow):
        rows = sorted(tables.of(TagMoveRow, place).values(), key=lambda row: (row.tag, row.version))
        for tag, of_tag in groupby(rows, key=lambda row: str(row.tag)):
            at = None
            for move in of_tag:
                if move.previous != at:
                    raise Broken(f"tag's history has a gap: {move}, before it {at}")
                at = move.digest
                moves.add((place, tag, move.version, move.previous, move.digest))
            row = tables.of(TagRow, place)[tag]
            if at != (row.digest if row.present else None):
                raise Broken(f"tag's history ends elsewhere: {row}, history {at}")
    if moves != events:
        raise Broken(f"tag history differs from what was told: {sorted(map(str, moves ^ events))}")


def _check_endings(world: World) -> None:
    """Each scan ended once, as its messages in order say, and names what it did not hear of."""
    messages: dict[tuple[str, int], list[ScanProgressed]] = defaultdict(list)
    for source in SOURCES:
        for record in world.log.all(source):
            if isinstance(record.message, ScanProgressed):
                messages[record.message.context.registry, record.message.context.scan].append(record.message)
    for key in world.scans:
        ended = world.told.ended.get(key)
        if ended is None:
            raise Broken(f"scan did not end: {key}")
        status, missing = _ending(messages[key])
        if ended.status != status:
            raise Broken(f"scan {key} ended {ended.status}, its messages say {status}")
        units = world.tables.of(ScanUnitRow, key).values()
        named = {row.repository for row in units if row.state == "timeout" and row.repository}
        if named != missing:
            raise Broken(f"scan {key} timed out without {missing} and named {named}")


def _ending(messages: Iterable[ScanProgressed]) -> tuple[str | None, set[str]]:
    """Return how a scan ends by its messages, and the units that are missing then."""
    expected, heard = set[str](), dict[str, UnitOutcome]()
    closed: bool | None = None
    for message in messages:
        match message.progress:
            case CatalogPage(names=names):
                expected.update(names)
            case CatalogClosed(absent=absent, held=held, complete=complete):
                expected.update(absent, held)
                for name in held:
                    heard.setdefault(name, UnitOutcome.HELD)
                closed = complete if closed is None else closed
            case UnitReported(repository=name, outcome=UnitOutcome.STORED):
                heard[name] = UnitOutcome.STORED
            case UnitReported(repository=name, outcome=outcome):
                heard.setdefault(name, outcome)
            case ScanTimedOut():
                return "partial", expected - heard.keys()
        if closed is not None and expected <= heard.keys():
            return _status(closed, {heard[name] for name in expected}), set()
    return None, set()


def _status(closed: bool, outcomes: set[UnitOutcome]) -> str:
    if not closed and not outcomes:
        return "failed"
    if UnitOutcome.HELD in outcomes:
        return "held"
    return "complete" if closed and outcomes <= {UnitOutcome.STORED, UnitOutcome.SKIPPED} else "partial"
