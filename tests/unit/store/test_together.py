"""Calls put together: one at a time, those that wait go as one, and nobody pays for another's mistake."""

import asyncio
from collections.abc import Collection, Sequence

import pytest

from shared.store.errors import StoreError, StoreUnavailable
from shared.store.together import Together, lookups


class Work:
    """Doubles numbers, when it is let; refuses the number 13, and all while the store is away."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.gate = asyncio.Event()
        self.is_away = False

    async def __call__(self, asked: Sequence[int]) -> list[int]:
        self.calls.append(list(asked))
        await self.gate.wait()
        if self.is_away:
            raise StoreUnavailable("away")
        if 13 in asked:
            raise StoreError("refused")
        return [2 * number for number in asked]


async def asked(together: Together[int, int], *numbers: int) -> list["asyncio.Task[int]"]:
    """Ask, one after the other, and let the first be under way."""
    tasks = []
    for number in numbers:
        tasks.append(asyncio.create_task(together.ask(number)))
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_one_is_under_way_goes_as_one() -> None:
    work = Work()
    tasks = await asked(Together(work), 1, 2, 3)
    assert work.calls == [[1]]
    work.gate.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6]
    assert work.calls == [[1], [2, 3]]


async def test_after_one_that_some_waited_for_the_next_rests_and_more_go_with_it() -> None:
    work = Work()
    together = Together(work, asyncio.get_running_loop().time)
    tasks = await asked(together, 1, 2)
    await asyncio.sleep(0.1)  # what the first takes: the next rests for four times as long
    work.gate.set()
    await asyncio.sleep(0.05)
    tasks += await asked(together, 3)
    assert work.calls == [[1]]
    assert await asyncio.gather(*tasks) == [2, 4, 6]
    assert work.calls == [[1], [2, 3]]


async def test_where_nothing_is_under_way_nobody_waits() -> None:
    work = Work()
    work.gate.set()
    together = Together(work)
    assert [await together.ask(number) for number in (1, 2)] == [2, 4]
    assert work.calls == [[1], [2]]


async def test_one_that_is_refused_spoils_nothing_for_the_others() -> None:
    work = Work()
    tasks = await asked(Together(work), 1, 2, 13, 3)
    work.gate.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(end) for end in ended] == ["2", "4", "refused", "6"]


async def test_a_store_that_is_away_is_not_asked_for_each() -> None:
    work = Work()
    tasks = await asked(Together(work), 1, 2, 3)
    work.is_away = True
    work.gate.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ended] == [StoreUnavailable] * 3
    assert work.calls == [[1], [2, 3]]
    work.is_away = False
    assert await Together(work).ask(4) == 8


async def test_whoever_has_gone_is_not_asked_for() -> None:
    work = Work()
    first, gone, last = await asked(Together(work), 1, 2, 3)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    work.gate.set()
    assert (await first, await last) == (2, 6)
    assert work.calls == [[1], [3]]


async def test_where_all_have_gone_nothing_is_asked() -> None:
    work = Work()
    first, gone = await asked(Together(work), 1, 2)
    gone.cancel()
    work.gate.set()
    assert await first == 2
    await asyncio.sleep(0)
    assert work.calls == [[1]]


async def test_lookups_are_read_as_one_and_each_gets_its_own() -> None:
    calls: list[set[str]] = []

    async def read(keys: Collection[str]) -> dict[str, int]:
        calls.append(set(keys))
        await asyncio.sleep(0)
        return {key: len(key) for key in keys if key != "unknown"}

    together = lookups(read)
    answers = await asyncio.gather(*map(together.ask, ({"a"}, {"bb", "a"}, {"ccc", "unknown"}, set[str]())))
    assert answers == [{"a": 1}, {"a": 1, "bb": 2}, {"ccc": 3}, {}]
    assert calls == [{"a", "bb", "ccc", "unknown"}]
