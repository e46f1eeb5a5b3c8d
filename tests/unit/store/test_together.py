"""Questions asked at the same time are put together."""

import asyncio
from collections.abc import Collection, Mapping

from shared.store.together import Together


class Oracle:
    """Answers a key with its length, once it is let.

    asked: the keys of each question.  begun: the first is asked.
    troubles: what a question leads to, None = the answer.
    """

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.begun = asyncio.Event()
        self.let = asyncio.Event()
        self.troubles: list[Exception | None] = []

    async def answer(self, keys: Collection[str]) -> Mapping[str, int]:
        self.asked.append(sorted(keys))
        self.begun.set()
        await self.let.wait()
        if self.troubles and (trouble := self.troubles.pop(0)):
            raise trouble
        return {key: len(key) for key in keys if key != "unknown"}


async def test_who_asks_alone_gets_the_answer() -> None:
    oracle = Oracle()
    oracle.let.set()
    assert await Together(oracle.answer, 10).get(["a", "bb", "unknown"]) == {"a": 1, "bb": 2}
    assert oracle.asked == [["a", "bb", "unknown"]]


async def test_nothing_is_asked_for_no_keys() -> None:
    oracle = Oracle()
    assert await Together(oracle.answer, 10).get([]) == {}
    assert oracle.asked == []


async def test_who_comes_while_a_question_is_under_way_shares_the_next() -> None:
    oracle = Oracle()
    together = Together(oracle.answer, 10)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(together.get(["a"]))
        await oracle.begun.wait()
        later = [group.create_task(together.get([key])) for key in ("a", "bb", "ccc")]
        await asyncio.sleep(0)
        oracle.let.set()
    assert first.result() == {"a": 1}
    assert [task.result() for task in later] == [{"a": 1}, {"bb": 2}, {"ccc": 3}]
    assert oracle.asked == [["a"], ["a", "bb", "ccc"]]


async def test_no_question_holds_more_keys_than_the_most_but_for_one_callers_own() -> None:
    oracle = Oracle()
    together = Together(oracle.answer, 2)
    async with asyncio.TaskGroup() as group:
        group.create_task(together.get(["first"]))
        await oracle.begun.wait()
        for keys in (["a"], ["b"], ["c"], ["d", "e", "f"]):
            group.create_task(together.get(keys))
        await asyncio.sleep(0)
        oracle.let.set()
    assert oracle.asked == [["first"], ["a", "b"], ["c"], ["d", "e", "f"]]


async def test_who_shared_a_question_that_failed_asks_again() -> None:
    oracle = Oracle()
    oracle.troubles = [None, ConnectionError("down")]
    together = Together(oracle.answer, 10)
    first = asyncio.create_task(together.get(["first"]))
    await oracle.begun.wait()
    sharing = [asyncio.create_task(together.get([key])) for key in ("a", "bb")]
    await asyncio.sleep(0)
    oracle.let.set()
    unlucky, lucky = await asyncio.gather(*sharing, return_exceptions=True)
    assert isinstance(unlucky, ConnectionError)
    assert lucky == {"bb": 2}
    assert oracle.asked == [["first"], ["a", "bb"], ["a", "bb"]]
    await first
