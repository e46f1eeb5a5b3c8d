"""The plot of one run: scans upon scans, in quiet or rough weather, and a last quiet scan that repairs all."""

from shared.messages.model import ScanContext, ScanKind
from shared.messages.scan_progressed import CatalogClosed, ScanProgressed, UnitOutcome
from tests.unit.sink.world.calm import check_calm
from tests.unit.sink.world.promises import check, check_quiet
from tests.unit.sink.world.scheduler import REGISTRIES, RIGHT, SOURCES, Variant, World


def live(seed: int, *, rough: bool, variant: Variant = RIGHT) -> World:
    """Run one world to its end and return it. Raises Broken where a promise does not hold."""
    world = World(seed, rough=rough, variant=variant)
    try:
        _live(world)
    finally:
        world.close()
    return world


def _live(world: World) -> None:
    for _ in range(world.rng.randint(2, 40)):
        world.change(drastic=0.0)
    for _ in range(world.rng.randint(1, 3)):
        if world.weather.rough:
            _overlapping_scans(world)
        else:
            _quiet_round(world)
    world.finish()
    world.rouse_sleepers()
    world.finish()
    check(world)
    world.become_quiet()
    _full_scans(world)
    check_quiet(world)
    if not world.told.expires:
        check_calm(world)


def _overlapping_scans(world: World) -> None:
    for _ in range(world.rng.randint(1, 4)):
        kind, place = world.rng.choice(world.weather.kinds), world.place()
        tag = world.tag(place) if kind is ScanKind.TAG else None
        world.ask(kind, place, tag, confirmed=world.rng.random() < 0.1)
        for _ in range(world.rng.randint(0, world.rng.choice((5, 80)))):
            world.step()
    if world.rng.random() < 0.4:
        world.finish()
        check(world)


def _quiet_round(world: World) -> None:
    for _ in range(world.rng.randint(0, 6)):
        world.change(drastic=0.25)
    _full_scans(world)
    check_quiet(world)


def _full_scans(world: World) -> None:
    """Scan every registry; what a fuse holds, a person confirms by a new request."""
    for registry in REGISTRIES:
        scan = world.ask(ScanKind.FULL, (registry, ""))
        world.finish()
        held = _held(world, scan)
        if held:
            _confirm(world, registry, held)
            world.finish()


def _confirm(world: World, registry: str, held: set[str]) -> None:
    there = held <= set(world.truth.names(registry))
    if there and world.rng.random() < 0.5:
        for repository in sorted(held):
            world.ask(ScanKind.REPOSITORY, (registry, repository), confirmed=True)
    else:
        world.ask(ScanKind.FULL, (registry, ""), confirmed=True)


def _held(world: World, scan: ScanContext) -> set[str]:
    """Return the repositories of which a scan's removals were held back."""
    held = {
        decided.repository
        for told in world.told.decided.values()
        for decided in told
        if decided.context == scan and decided.outcome is UnitOutcome.HELD
    }
    for source in SOURCES:
        for record in world.log.all(source):
            message = record.message
            if isinstance(message, ScanProgressed) and message.context == scan:
                match message.progress:
                    case CatalogClosed(held=names):
                        held.update(names)
    return held
