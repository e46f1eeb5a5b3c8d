"""Lines: who gets one, which are kept, and what becomes of them when less is granted."""

import asyncio
import math
from dataclasses import dataclass, field

import pytest

from shared.registry.permits import Permits
from shared.registry.pool import Line, Pool


@dataclass
class Session:
    """Where a line leads to."""

    closed: bool = False

    def close(self) -> "asyncio.Future[None]":
        self.closed = True
        return asyncio.ensure_future(asyncio.sleep(0.01))


@dataclass
class Office:
    """granted: may be changed.  made: all sessions ever opened."""

    granted: int
    made: list[Session] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.permits = Permits(lambda: self.granted)

    def pool(self, kept: int = 10, expiry: float = 60) -> Pool[Session]:
        return Pool(self.permits, kept, expiry, self._open)

    def _open(self) -> Session:
        self.made.append(Session())
        return self.made[-1]

    @property
    def closed(self) -> int:
        return sum(session.closed for session in self.made)


async def test_the_line_that_was_used_last_is_used_next() -> None:
    office = Office(4)
    pool = office.pool()
    lines = [await pool.enter() for _ in range(3)]
    for line in lines:
        line.leave()
    assert await pool.enter() is lines[-1]
    assert len(office.made) == 3


async def test_no_more_lines_are_kept_than_may_be() -> None:
    office = Office(4)
    pool = office.pool(kept=1)
    for line in [await pool.enter() for _ in range(3)]:
        line.leave()
    assert (pool.idle, office.closed) == (1, 2)


async def test_an_idle_line_is_closed_after_its_expiry() -> None:
    office = Office(4)
    pool = office.pool(expiry=0.05)
    (await pool.enter()).leave()
    await asyncio.sleep(0.2)
    assert (office.closed, office.permits.open) == (1, 0)


async def test_who_comes_first_gets_in_first_and_never_more_than_granted() -> None:
    office = Office(1)
    pool = office.pool()
    line = await pool.enter()
    came: list[int] = []

    async def come(number: int) -> None:
        mine = await pool.enter()
        came.append(number)
        assert office.permits.open == 1
        mine.leave()

    tasks = [asyncio.create_task(come(number)) for number in range(5)]
    await asyncio.sleep(0)
    line.leave()
    await asyncio.gather(*tasks)
    assert came == [0, 1, 2, 3, 4]


async def test_a_line_is_given_back_once() -> None:
    pool = Office(1).pool()
    line = await pool.enter()
    line.leave()
    line.leave()
    await pool.enter()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pool.enter(), 0.05)


async def test_less_granted_closes_what_is_idle_at_once_and_what_is_in_use_when_it_ends() -> None:
    office = Office(3)
    pool = office.pool()
    lines: list[Line[Session]] = [await pool.enter() for _ in range(3)]
    lines[0].leave()
    office.granted = 1
    office.permits.look_again()
    assert office.closed == 1
    assert not office.permits.complied
    lines[1].leave()
    assert office.closed == 2
    await asyncio.sleep(0.05)
    assert office.permits.complied
    lines[2].leave()
    assert (office.closed, pool.idle) == (2, 1)


async def test_more_granted_lets_the_next_one_in() -> None:
    office = Office(0)
    waiting = asyncio.create_task(office.pool().enter())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert office.permits.demand(has_work=True) == math.inf
    office.granted = 1
    office.permits.look_again()
    await asyncio.wait_for(waiting, 1)


async def test_a_pool_gives_an_idle_line_up_to_another_pool_of_the_same_registry() -> None:
    office = Office(1)
    before, after = office.pool(), office.pool()
    (await before.enter()).leave()
    await asyncio.wait_for(after.enter(), 1)
    assert (office.closed, office.permits.open) == (1, 1)
