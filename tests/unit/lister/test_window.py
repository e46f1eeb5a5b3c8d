"""The window lets in as many repositories as may be unfinished, and no more."""

import asyncio
from itertools import count

from services.lister.window import Window, width
from shared.messages.model import ScanContext
from shared.messages.scan_progressed import (
    Progress,
    ScanEnded,
    ScanProgressed,
    ScanTimedOut,
    UnitOutcome,
    UnitReported,
)
from tests.fakes.registry_access import CONTEXT, REGISTRY, connection

STALL_SECONDS = 300.0


class Clock:
    """Stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def hear(window: Window, progress: Progress, context: ScanContext = CONTEXT) -> None:
    window.hear(ScanProgressed(context=context, progress=progress))


def reported(repository: str) -> UnitReported:
    return UnitReported(repository=repository, outcome=UnitOutcome.FAILED)


async def waits(entering: asyncio.Task[None]) -> bool:
    """Whether the task still waits once everything else has run."""
    for _ in range(5):
        await asyncio.sleep(0)
    return not entering.done()


async def full_window(clock: Clock) -> tuple[Window, asyncio.Task[None]]:
    """A window of two that is full, and a third repository that waits."""
    window = Window(clock, STALL_SECONDS)
    await window.enter(CONTEXT, "a", 2)
    clock.now = 1.0
    await window.enter(CONTEXT, "b", 2)
    third = asyncio.create_task(window.enter(CONTEXT, "c", 2))
    assert await waits(third)
    return window, third


async def test_a_repository_waits_until_another_has_reported() -> None:
    window, third = await full_window(Clock())
    hear(window, reported("b"))
    assert not await waits(third)
    assert window.unfinished(REGISTRY) == 2


async def test_another_scans_report_of_the_same_repository_lets_nobody_in() -> None:
    window, third = await full_window(Clock())
    hear(window, reported("b"), CONTEXT.model_copy(update={"scan": 6}))
    assert await waits(third)
    third.cancel()


async def test_another_registry_does_not_wait() -> None:
    window, third = await full_window(Clock())
    other = CONTEXT.model_copy(update={"registry": "registry1"})
    await window.enter(other, "a", 2)
    hear(window, reported("a"), other)
    assert await waits(third)
    third.cancel()


async def test_a_scan_that_ended_or_timed_out_leaves_nothing_behind() -> None:
    for end in (ScanEnded(status="partial"), ScanTimedOut(stalled_seconds=1)):
        window, third = await full_window(Clock())
        hear(window, end)
        assert not await waits(third)
        assert window.unfinished(REGISTRY) == 1


async def test_a_repository_that_is_never_heard_of_counts_until_it_stalls() -> None:
    clock = Clock()
    window, third = await full_window(clock)
    clock.now = STALL_SECONDS
    hear(window, reported("heard of elsewhere"))
    assert not await waits(third)
    assert window.unfinished(REGISTRY) == 2


async def test_a_stalled_repository_lets_the_next_in_though_no_message_comes() -> None:
    ticks = count()
    window = Window(lambda: float(next(ticks)), stall_seconds=2.0)  # each look at the clock takes a second
    await window.enter(CONTEXT, "a", 1)
    await asyncio.wait_for(window.enter(CONTEXT, "b", 1), timeout=0.5)
    assert window.unfinished(REGISTRY) == 1


async def test_a_repository_that_is_sent_on_again_does_not_count_twice() -> None:
    window = Window(Clock(), STALL_SECONDS)
    await window.enter(CONTEXT, "a", 1)
    await asyncio.wait_for(window.enter(CONTEXT, "a", 1), timeout=5)
    assert window.unfinished(REGISTRY) == 1


async def test_whoever_waits_can_be_cancelled_for_a_drain() -> None:
    window, third = await full_window(Clock())
    third.cancel()
    await asyncio.wait([third])
    assert third.cancelled()
    assert window.unfinished(REGISTRY) == 2


def test_the_width_follows_the_registrys_rate_up_to_the_setting() -> None:
    assert width(connection(max_rps=1), 100) == 4
    assert width(connection(max_rps=10), 100) == 40
    assert width(connection(max_rps=1000), 100) == 100
    assert width(connection(max_rps=1000), 2) == 2
