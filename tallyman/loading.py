"""The main job once: connect a registry, scan it, say how it went."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from shared.connections.rules import ConnectionSettings
from shared.connections.topic import ConnectionsTopic
from shared.connections.writer import ensure_connection
from shared.errors import TallymanError
from shared.messages.scan_progressed import ScanProgressed
from shared.settings import Settings
from tallyman.following import ScanSeen, requested_scan

EXIT_COMPLETE: Final = 0
EXIT_PARTIAL: Final = 3
EXIT_FAILED: Final = 4
EXIT_OF: Final = {
    "complete": EXIT_COMPLETE,
    "partial": EXIT_PARTIAL,
    "held": EXIT_PARTIAL,
    "failed": EXIT_FAILED,
    "cancelled": EXIT_PARTIAL,
}

_TICK_SECONDS: Final = 0.2
NOT_TAKEN_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Loaded:
    """How a load went; the object that `tallyman load --json` prints. registry: its name."""

    registry: str
    scan_id: int
    status: str
    repositories: int
    tags: int
    images: int
    artifacts: int
    discovered: int
    removed: int
    failed: int
    tags_out_of_scope: int
    requests: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """A load and the reasons for what was not read, a few sentences."""

    loaded: Loaded
    failures: tuple[str, ...]


class NotTaken(TallymanError):  # says what has happened
    """No lister has picked the scan up."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"No lister has taken the scan within {seconds:.0f} s: start the services (python -m "
            "services.lister, tagger, manifester and sink), and see their logs. The scan waits for them.",
            reason="scan_not_taken",
        )


async def load(
    settings: Settings,
    topic: ConnectionsTopic,
    target: str,
    wanted: ConnectionSettings,
    *,
    allow_empty: bool,
    tell: Callable[[ScanSeen, float], None],
    not_taken_seconds: float = NOT_TAKEN_SECONDS,
) -> Outcome:
    """Connect `target` (a host, or the name of a connection), scan it whole, and return how it went.

    allow_empty: the fuses are off.  tell: called several times a second with what is seen and the seconds since.
    not_taken_seconds: how long a lister may take to pick it up.
    Raises ConnectionInvalid and its like for wrong settings; NotTaken.
    """
    loop = asyncio.get_running_loop()
    saved = await ensure_connection(topic, target, wanted, settings.partitions)
    started = loop.time()
    async with requested_scan(settings, saved, confirmed=allow_empty) as (seen, messages):
        following = asyncio.create_task(_follow(messages))
        try:
            while not following.done():
                tell(seen, loop.time() - started)
                await asyncio.wait((following,), timeout=_TICK_SECONDS)
                if not seen.started and loop.time() - started > not_taken_seconds:
                    raise NotTaken(not_taken_seconds)
            following.result()
        finally:
            following.cancel()
        tell(seen, loop.time() - started)
    return Outcome(_loaded(saved.connection.name, seen, loop.time() - started), tuple(seen.failures()))


async def _follow(messages: AsyncIterator[ScanProgressed]) -> None:
    async for _ in messages:
        pass  # what is seen takes them in


def _loaded(name: str, seen: ScanSeen, seconds: float) -> Loaded:
    return Loaded(
        registry=name,
        scan_id=seen.scan,
        status=seen.status or "running",
        repositories=len(seen.expected),
        seconds=round(seconds, 3),
        **seen.counts().model_dump(),
    )
