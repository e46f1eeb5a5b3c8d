"""The worker loop when the broker itself dies and comes back."""

import asyncio
import os
import signal
from pathlib import Path

from shared.pipeline.broker import EmbeddedBroker
from shared.pipeline.stage import StageStats
from shared.pipeline.topics import ensure_topics
from shared.settings import Settings
from tests.support.broker import settings_for
from tests.support.worker import NAME, Noted, at_once, committed, found, pages, running, send, until


async def test_a_broker_that_dies_and_comes_back_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    settings = settings_for(await broker.start(), tmp_path)
    try:
        await ensure_topics(settings, [NAME])
        noted, stats = Noted(at_once), StageStats()
        async with running(noted, settings, stats=stats):
            await send(settings, [found("one", f"app{number}", number) for number in range(20)])
            await until(lambda: stats.succeeded == 20)
            assert broker.pid is not None
            os.kill(broker.pid, signal.SIGKILL)
            await until(lambda: broker.pid is None)
            await ensure_topics(settings, [NAME])  # it waits for the broker
            await send(settings, [found("one", f"late{number}", number) for number in range(20)])
            await until(lambda: len({page for page in noted.ended if page[0].startswith("late")}) == 20, seconds=60)
            await _committed_by(settings, {0: 40})
        assert {page.repository for page in await pages(settings)} >= {f"app{number}" for number in range(20)}
    finally:
        await broker.stop()


async def _committed_by(settings: Settings, offsets: dict[int, int]) -> None:
    """Wait for the offsets: where the broker was away for longer than a session, the stage has to join anew first."""
    async with asyncio.timeout(60):
        while await committed(settings) != offsets:  # noqa: ASYNC110  # the broker tells nobody of a commit
            await asyncio.sleep(0.2)


async def test_a_stop_does_not_wait_for_ever_for_a_broker_that_is_gone(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    settings = settings_for(await broker.start(), tmp_path, drain_seconds=1.0)
    try:
        await ensure_topics(settings, [NAME])
        await send(settings, [found("one", "app")])
        gate, noted = asyncio.Event(), Noted(lambda message: gate_of())

        async def gate_of() -> None:
            await gate.wait()

        async with asyncio.timeout(40), running(noted, settings):
            await until(lambda: noted.begun)
            await broker.stop()
            gate.set()  # what it gives cannot be acknowledged any more
        assert not [task for task in asyncio.all_tasks() if "aiokafka" in str(task.get_coro())]
    finally:
        await broker.stop()
