"""Owners of partitions: each works as the sink's `Partition` does, and can be stopped wherever it awaits."""

from collections.abc import Callable, Coroutine, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Final

from services.sink.ports import Outgoing, Received, Work
from shared.errors import TransientError
from tests.fakes.sink_store import Pause
from tests.unit.sink.world.log import Fenced, Log, Lost, Source

IDLE: Final = "idle"
"""The step of an owner that has nothing to do."""


class Turn:
    """Awaited, it lets others go on; whoever drives the coroutine is told the step."""

    def __init__(self, step: str) -> None:
        self._step = step

    def __await__(self) -> Generator[str, None, None]:
        yield self._step


@dataclass
class Owner:
    """Who works a source, or once did.

    idle: it has nothing to do until something comes.  sleeps_until: a step of the world.
    """

    source: Source
    working: Coroutine[Any, Any, None]
    idle: bool = False
    sleeps_until: int = 0

    def step(self) -> bool:
        """Go on to the next step; return False when the work is over."""
        try:
            self.idle = self.working.send(None) == IDLE
        except StopIteration:
            return False
        return True


async def own(
    source: Source,
    log: Log,
    work: Work[Any],
    pause: Pause,
    batch_size: Callable[[], int],
    publication_fails: Callable[[], str | None],
    *,
    resets: bool = True,
) -> None:
    """Work a partition until fenced.

    publication_fails: None, or "before" or "after" a transaction was committed.  resets: False is a mistake.
    """
    while True:
        try:
            await pause("start")
            epoch = log.fence(source)
            await pause("started")
            await _work(source, epoch, log, work, pause, batch_size, publication_fails)
        except Fenced:
            return
        except (Lost, TransientError):
            if resets:
                work.reset()


async def _work(
    source: Source,
    epoch: int,
    log: Log,
    work: Work[Any],
    pause: Pause,
    batch_size: Callable[[], int],
    publication_fails: Callable[[], str | None],
) -> None:
    async def publish(records: Iterable[Outgoing], next_offset: int | None) -> None:
        sent = list(records)
        await pause("publish")
        fails = publication_fails()
        if fails == "before":
            raise Lost
        log.publish(source, epoch, sent, next_offset)
        if fails == "after":
            raise Lost
        await pause("published")

    at = log.committed(source)
    while True:
        batch = log.read(source, at, batch_size())
        if not batch:
            if sent := await work.idle():
                await publish(sent, None)
            await Turn(IDLE)
            continue
        received = [Received(source.partition, record.offset, record.message) for record in batch]
        sent = await work.work(received)
        await publish(sent, batch[-1].offset + 1)
        at = batch[-1].offset + 1
