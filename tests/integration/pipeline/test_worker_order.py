"""The worker loop on a real broker: what is worked when."""

import asyncio
from collections import Counter

from shared.messages.repository_found import RepositoryFound
from shared.pipeline.stage import Pace, StageStats
from shared.settings import Settings
from tests.support.worker import Noted, at_once, committed, found, pages, running, send, until, with_settings


async def _a_moment(message: RepositoryFound) -> None:
    await asyncio.sleep(0.01)


async def test_messages_of_a_key_are_worked_in_order_and_different_keys_side_by_side(fresh_topics: Settings) -> None:
    repositories = [f"team/app{number}" for number in range(5)]
    await send(fresh_topics, [found("one", name, number) for number in range(10) for name in repositories])
    noted = Noted(_a_moment)
    async with running(noted, fresh_topics):
        await until(lambda: len(noted.ended) == 50)
    for name in repositories:
        assert [number for repository, number in noted.begun if repository == name] == list(range(10))
    assert noted.overlaps == 0
    assert noted.most > 1


async def test_a_registry_gets_its_share_and_no_more_while_others_go_on(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, registry_concurrency=3)
    await send(settings, [found("big", f"b{number}") for number in range(50)])
    await send(settings, [found("small", "s0")])  # on the same partition, behind the big one
    gate, noted, stats = asyncio.Event(), Noted(lambda message: gate_of(message)), StageStats()

    async def gate_of(message: RepositoryFound) -> None:
        if message.repository != "s0":
            await gate.wait()

    async with running(noted, settings, stats=stats):
        await until(lambda: ("s0", 0) in noted.ended and stats.received == 51)
        assert Counter(repository[0] for repository, _ in noted.begun) == {"b": 3, "s": 1}
        gate.set()
        await until(lambda: len(noted.ended) == 51)
    assert noted.most <= 4


async def test_the_process_works_no_more_at_once_than_its_share(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, stage_concurrency=2)
    await send(settings, [found("one", f"app{number}") for number in range(12)])
    noted = Noted(_a_moment)
    async with running(noted, settings):
        await until(lambda: len(noted.ended) == 12)
    assert noted.most == 2


async def test_a_registry_of_which_nothing_is_worked_is_not_kept_waiting_by_slow_ones(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, stage_concurrency=2)
    await send(settings, [found("slow", f"s{number}") for number in range(5)])
    await send(settings, [found("other", "o0")])
    gate, noted = asyncio.Event(), Noted(lambda message: gate_of(message))

    async def gate_of(message: RepositoryFound) -> None:
        if message.repository != "o0":
            await gate.wait()

    async with running(noted, settings):
        await until(lambda: ("o0", 0) in noted.ended)
        gate.set()
        await until(lambda: len(noted.ended) == 6)
    assert noted.most <= 3


async def test_every_message_gives_its_output_once(fresh_topics: Settings) -> None:
    messages = [found("one", f"app{number}", number, slot=number) for number in range(100)]
    await send(fresh_topics, messages)
    noted = Noted(at_once)
    async with running(noted, fresh_topics):
        await until(lambda: len(noted.ended) == 100)
    assert sorted(page.repository for page in await pages(fresh_topics)) == sorted(m.repository for m in messages)


async def test_a_handler_may_take_longer_than_the_poll_interval(fresh_topics: Settings) -> None:
    await send(fresh_topics, [found("one", "slow")])

    async def slow(message: RepositoryFound) -> None:
        await asyncio.sleep(4)

    noted = Noted(slow)
    async with running(noted, fresh_topics, pace=Pace(commit=0.2, max_poll=1.0)):
        await until(lambda: noted.ended)
    assert noted.begun == [("slow", 0)]
    assert await committed(fresh_topics) == {0: 1}
