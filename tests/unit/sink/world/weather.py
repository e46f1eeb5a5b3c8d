"""How rough a world is: how often what happens. Worlds of many weathers together show more than all alike."""

import random
from dataclasses import dataclass, replace
from typing import Final

from services.sink.decide import Fuse
from shared.messages.model import ScanKind

NEVER: Final = 1e12
NO_FUSE: Final = Fuse(share=1.0, minimum=1_000_000)
FUSE: Final = Fuse(share=0.5, minimum=2)


@dataclass(frozen=True)
class Weather:
    """Chances a step, unless said otherwise.

    rough: scans overlap, the registries change while they are read, and what is below the line happens at all.
    stage_crashes: a stage before the sink works its message, or the ones before, again.
    owner_crashes: the owner of a partition dies, or is thought dead.  outages: the store or the broker does not answer.
    tags_per_page: names in a tag list's page.  continuations: share of pages after which another message goes on.
    expires: old decisions are forgotten.  focus: share of changes and targeted scans that meet one repository.

    changes: a registry changes.  unread: share of reads that fail.  lost, unreadable: shares of messages.
    stall_seconds: after so many steps of silence a scan times out.  kinds: of the scans asked for, one drawn each time.
    """

    rough: bool
    stage_crashes: float = 0.1
    owner_crashes: float = 0.02
    outages: float = 0.01
    tags_per_page: int = 2
    continuations: float = 0.5
    expires: bool = False
    focus: float = 0.5
    fuse: Fuse = NO_FUSE

    changes: float = 0.0
    unread: float = 0.0
    lost: float = 0.0
    unreadable: float = 0.0
    stall_seconds: float = NEVER
    kinds: tuple[ScanKind, ...] = (
        ScanKind.FULL,
        ScanKind.FULL,
        ScanKind.REPOSITORY,
        ScanKind.TAG,
        ScanKind.TAG,
    )

    def calmed(self) -> "Weather":
        """Return the weather after the storm: nothing fails, changes or crashes."""
        calm = replace(self, rough=False, stage_crashes=0.0, owner_crashes=0.0, outages=0.0)
        return replace(calm, changes=0.0, unread=0.0, lost=0.0, unreadable=0.0)


def weather(rng: random.Random, *, rough: bool) -> Weather:
    """Draw a weather."""
    quiet = Weather(
        rough=rough,
        stage_crashes=rng.choice((0.03, 0.1, 0.2)),
        owner_crashes=rng.choice((0.005, 0.02, 0.04)),
        outages=rng.choice((0.0, 0.01, 0.02)),
        tags_per_page=rng.choice((1, 2)),
        continuations=rng.choice((0.2, 0.6)),
        expires=rng.random() < 0.3,
        fuse=rng.choice((NO_FUSE, FUSE)),
    )
    if not rough:
        return quiet
    return replace(
        quiet,
        changes=rng.choice((0.03, 0.1, 0.25)),
        unread=0.03,
        lost=0.002,
        unreadable=0.003,
        stall_seconds=rng.choice((NEVER, NEVER, 400.0)),
    )
