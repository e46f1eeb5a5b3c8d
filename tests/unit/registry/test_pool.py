"""Places for requests."""

import asyncio

from shared.registry.pool import Pool


async def test_only_so_many_of_a_host_are_on_kept_connections() -> None:
    pool = Pool(max_connections=4, max_kept=2)
    places = [await pool.enter(b"a") for _ in range(3)]
    assert [place.kept for place in places] == [True, True, False]
    assert (await pool.enter(b"b")).kept
    places[0].leave()
    assert (await pool.enter(b"a")).kept


async def test_who_comes_first_gets_in_first() -> None:
    pool = Pool(max_connections=1, max_kept=1)
    place = await pool.enter(b"a")
    came: list[int] = []

    async def come(number: int) -> None:
        mine = await pool.enter(b"a")
        came.append(number)
        mine.leave()

    tasks = [asyncio.create_task(come(number)) for number in range(5)]
    await asyncio.sleep(0)
    place.leave()
    await asyncio.gather(*tasks)
    assert came == [0, 1, 2, 3, 4]


async def test_a_place_is_given_back_once() -> None:
    pool = Pool(max_connections=1, max_kept=1)
    place = await pool.enter(b"a")
    place.leave()
    place.leave()
    await pool.enter(b"a")
    waiting = asyncio.create_task(pool.enter(b"a"))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
