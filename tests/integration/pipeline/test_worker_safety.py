"""The worker loop on a real broker: whatever ends it, nothing is lost, and nothing undone is committed."""

import asyncio
from contextlib import suppress

import pytest

from shared.messages.repository_found import RepositoryFound
from shared.pipeline.outputs import BrokerRefused
from shared.pipeline.stage import StageStats
from shared.pipeline.worker import run_stage
from shared.settings import Settings
from tests.support.worker import BRISK, Noted, at_once, committed, found, pages, running, send, until, with_settings


async def _for_ever(message: RepositoryFound) -> None:
    await asyncio.Event().wait()


async def test_only_what_is_done_without_a_gap_is_committed_and_the_rest_comes_again(fresh_topics: Settings) -> None:
    await send(fresh_topics, [found("one", f"app{number}", number) for number in range(10)])

    async def third_hangs(message: RepositoryFound) -> None:
        if message.repository == "app3":
            await _for_ever(message)

    noted = Noted(third_hangs)
    task = asyncio.create_task(run_stage(noted.stage(), fresh_topics, asyncio.Event(), pace=BRISK))
    await until(lambda: len(noted.ended) == 9)
    await asyncio.sleep(3 * BRISK.commit)
    task.cancel()  # as good as killed: nothing is drained, nothing more is committed
    with suppress(asyncio.CancelledError):
        await task
    assert await committed(fresh_topics) == {0: 3}

    again = Noted(at_once)
    async with running(again, fresh_topics):
        await until(lambda: len(again.ended) == 7)
    assert [number for _, number in again.begun] == list(range(3, 10))
    assert {page.repository for page in await pages(fresh_topics)} == {f"app{number}" for number in range(10)}
    assert await committed(fresh_topics) == {0: 10}


async def test_a_stop_lets_what_is_in_flight_finish_commits_it_and_starts_nothing_more(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, stage_concurrency=2)
    await send(settings, [found("one", f"app{number}", number) for number in range(10)])
    gate = asyncio.Event()

    async def waits(message: RepositoryFound) -> None:
        await gate.wait()

    noted, stop, stats = Noted(waits), asyncio.Event(), StageStats()
    task = asyncio.create_task(run_stage(noted.stage(), settings, stop, stats=stats, pace=BRISK))
    await until(lambda: len(noted.begun) == 2 and stats.received == 10)
    stop.set()
    await asyncio.sleep(0.3)
    assert not task.done()
    gate.set()
    await task
    assert noted.ended == noted.begun == [("app0", 0), ("app1", 1)]
    assert await committed(settings) == {0: 2}
    assert (stats.working, stats.waiting) == (0, 0)


async def test_work_that_outlives_the_drain_deadline_is_cancelled_closed_and_comes_again(
    fresh_topics: Settings,
) -> None:
    settings = with_settings(fresh_topics, drain_seconds=0.3)
    await send(settings, [found("one", "app0", 0), found("one", "app1", 1)])
    closed = []

    async def first_hangs(message: RepositoryFound) -> None:
        if message.repository == "app0":
            try:
                await _for_ever(message)
            finally:
                closed.append(message.repository)

    noted = Noted(first_hangs)
    async with running(noted, settings):
        await until(lambda: noted.ended)
    assert closed == ["app0"]
    assert await committed(settings) == {}

    again = Noted(at_once)
    async with running(again, settings):
        await until(lambda: len(again.ended) == 2)
    assert again.begun[0] == ("app0", 0)


async def test_a_rebalance_loses_nothing_doubles_nothing_and_never_works_a_key_twice_at_once(
    fresh_topics: Settings,
) -> None:
    def batch(number: int) -> list[RepositoryFound]:
        return [found(f"reg{slot}", f"app{key}", number, slot=slot) for slot in range(4) for key in range(4)]

    async def a_moment(message: RepositoryFound) -> None:
        await asyncio.sleep(0.02)

    noted = Noted(a_moment)  # shared by both workers: it sees any overlap of theirs
    first, second = StageStats(), StageStats()
    async with running(noted, fresh_topics, stats=first):
        await send(fresh_topics, messages := batch(0))
        await until(lambda: noted.ended)
        async with running(noted, fresh_topics, stats=second):
            while second.succeeded < 100:  # both stay busy, before, during and after the rebalance
                messages += (more := batch(len(messages)))
                await send(fresh_topics, more)
        await until(lambda: len(noted.ended) == len(messages))
    assert noted.overlaps == 0
    assert first.succeeded > 100
    given = [(page.context.registry, page.repository, page.reading.id) for page in await pages(fresh_topics)]
    assert sorted(given) == sorted((m.context.registry, m.repository, str(m.tag)) for m in messages)


async def test_a_worker_that_hangs_in_a_rebalance_gives_its_work_up_to_the_other(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, drain_seconds=0.5)
    await send(settings, [found(f"reg{slot}", "app", slot=slot) for slot in range(4)])
    hangs = Noted(_for_ever)
    works = Noted(at_once)
    async with running(hangs, settings):
        await until(lambda: len(hangs.begun) == 4)
        async with running(works, settings):
            await until(lambda: len(works.ended) == 2)
            await until(lambda: len(hangs.begun) == 6)  # what stayed with it came again there
    async with running(works, settings):
        await until(lambda: len(works.ended) == 4)
    assert len({page.context.registry for page in await pages(settings)}) == 4


async def test_a_full_buffer_pauses_its_partition_alone(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, buffer_messages=10, registry_concurrency=4)
    await send(settings, [found("one", f"app{number}", slot=0) for number in range(300)])
    gate, stats = asyncio.Event(), StageStats()

    async def gated(message: RepositoryFound) -> None:
        if message.context.slot == 0:
            await gate.wait()

    noted = Noted(gated)
    async with running(noted, settings, stats=stats):
        await until(lambda: stats.received == 10)
        await asyncio.sleep(0.5)
        assert (stats.received, stats.working, stats.waiting) == (10, 4, 6)
        await send(settings, [found("two", f"app{number}", slot=1) for number in range(30)])
        await until(lambda: len(noted.ended) == 30)
        assert stats.received == 40
        gate.set()
        await until(lambda: len(noted.ended) == 330)
    assert await committed(settings) == {0: 300, 1: 30}


async def test_one_slow_message_does_not_make_the_worker_remember_every_later_one(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, buffer_messages=5)
    await send(settings, [found("one", f"app{number}", number) for number in range(200)])
    gate, stats = asyncio.Event(), StageStats()

    async def first_waits(message: RepositoryFound) -> None:
        if message.tag == "0":
            await gate.wait()

    noted = Noted(first_waits)
    async with running(noted, settings, stats=stats):
        await until(lambda: stats.received >= 50)
        await asyncio.sleep(0.5)
        assert stats.received <= 55
        gate.set()
        await until(lambda: len(noted.ended) == 200)


async def test_memory_is_bounded_by_the_buffers_whatever_the_backlog(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, buffer_messages=50)
    backlog = 8_000
    await send(settings, [found(f"r{n % 16}", f"app{n % 97}", n, slot=n % 16) for n in range(backlog)])
    stats, held = StageStats(), []

    async def watched(message: RepositoryFound) -> None:
        held.append(stats.working + stats.waiting)

    noted = Noted(watched)
    async with running(noted, settings, stats=stats):
        await until(lambda: stats.succeeded == backlog, seconds=120)
    assert max(held) <= 4 * 50
    assert noted.overlaps == 0
    assert sum((await committed(settings)).values()) == backlog


async def test_a_stop_before_the_first_assignment_ends_the_worker(fresh_topics: Settings) -> None:
    stop = asyncio.Event()
    stop.set()
    noted = Noted(at_once)
    await send(fresh_topics, [found("one", "app")])
    async with asyncio.timeout(10):
        await run_stage(noted.stage(), fresh_topics, stop, pace=BRISK)
    assert noted.begun == []


@pytest.mark.parametrize("port", [1])
async def test_a_broker_that_is_not_there_ends_the_worker_with_a_sentence(kafka_settings: Settings, port: int) -> None:
    settings = with_settings(kafka_settings, kafka=f"127.0.0.1:{port}")
    with pytest.raises(BrokerRefused, match="See that the broker is up"):
        await run_stage(Noted(at_once).stage(), settings, asyncio.Event(), pace=BRISK)
