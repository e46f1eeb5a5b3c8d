"""Calls of one kind put together: while one is under way, those that come wait, and then go as one.

A statement costs the store much the same whatever it holds, and each insert makes a part that has to be merged. A
process works many partitions and pages at once, each with statements of its own: put together they cost a fraction.
And where some had to wait, the next statement of the kind rests first, four times as long as this one took: the busier
the store, the more goes as one. Where nothing is under way, nobody waits.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from shared.store.errors import StoreUnavailable

A = TypeVar("A")
G = TypeVar("G")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_RESTS: Final = 4
"""Rest after a statement that some had to wait for, in times of what it took."""

_MOST_REST_SECONDS: Final = 1.0


class Together(Generic[A, G]):
    """work: does what several ask, and returns what each gets, in their order.  clock: monotonic seconds."""

    def __init__(
        self, work: Callable[[Sequence[A]], Awaitable[Sequence[G]]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._work: Final = work
        self._clock: Final = clock
        self._waiting: list[tuple[A, asyncio.Future[G]]] = []
        self._working: asyncio.Task[None] | None = None

    async def ask(self, asked: A) -> G:
        """Return what `work` gives for it. Raises what that raises; what one asks spoils nothing for the others."""
        coming: asyncio.Future[G] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, coming))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work_off(), name="store")
        return await coming

    async def _work_off(self) -> None:
        while self._waiting:
            taken = [(asked, coming) for asked, coming in self._waiting if not coming.done()]
            self._waiting.clear()
            begun = self._clock()
            if taken:  # else whoever asked has gone
                await self._answer(taken)
            if self._waiting:
                await asyncio.sleep(min(_RESTS * (self._clock() - begun), _MOST_REST_SECONDS))

    async def _answer(self, taken: Sequence[tuple[A, "asyncio.Future[G]"]]) -> None:
        try:
            given = await self._work([asked for asked, _ in taken])
        except Exception as error:  # noqa: BLE001  # whoever asked is told
            if len(taken) == 1 or isinstance(error, StoreUnavailable):
                _fail([coming for _, coming in taken], error)
                return
            for one in taken:  # one of them is to blame: each by itself
                await self._answer([one])
            return
        for (_, coming), got in zip(taken, given, strict=True):
            if not coming.done():  # else whoever asked has gone
                coming.set_result(got)


def _fail(futures: "Iterable[asyncio.Future[G]]", error: Exception) -> None:
    for coming in futures:
        if not coming.done():
            coming.set_exception(error)


def lookups(
    read: Callable[[Collection[K]], Awaitable[Mapping[K, V]]],
) -> Together[Collection[K], dict[K, V]]:
    """Return lookups put together.  read: returns what is found of the keys."""

    async def work(asked: Sequence[Collection[K]]) -> list[dict[K, V]]:
        found = await read(set().union(*asked))
        return [{key: found[key] for key in keys if key in found} for keys in asked]

    return Together(work)
