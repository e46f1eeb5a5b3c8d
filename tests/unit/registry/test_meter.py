"""Counting requests by the work they are made for."""

import asyncio

from shared.registry.meter import count_request, metered


async def test_requests_of_the_block_and_of_the_tasks_it_creates_are_counted() -> None:
    async def work() -> None:
        count_request()

    with metered() as meter:
        count_request()
        await asyncio.gather(work(), work())
    count_request()
    assert meter.requests == 3


async def test_work_side_by_side_is_counted_apart() -> None:
    async def work(times: int) -> int:
        with metered() as meter:
            for _ in range(times):
                count_request()
                await asyncio.sleep(0)
        return meter.requests

    assert await asyncio.gather(work(2), work(5)) == [2, 5]


def test_meters_nest() -> None:
    with metered() as outer:
        with metered() as inner:
            count_request()
        count_request()
    assert (outer.requests, inner.requests) == (2, 1)
