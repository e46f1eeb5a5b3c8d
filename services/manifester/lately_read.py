"""What was read lately: each thing once, whichever of the pages worked side by side asks first."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

MOST_KEPT: Final = 10_000
"""Enough to bridge the time until the store has them; some 10 MB."""


@dataclass
class _Turn:
    """Those who want one thing: they read it one after another, so all but the first find it read."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class LatelyRead(Generic[K, T]):
    """What was told, by registry and a key of K; the least lately used go first.

    most_kept: the most weight that is kept, or else one thing, whatever it weighs.  weight: of one thing.
    """

    def __init__(self, most_kept: int = MOST_KEPT, weight: Callable[[T], int] = lambda _: 1) -> None:
        self._most_kept: Final = most_kept
        self._weight_of: Final = weight
        self._weight = 0
        self._kept: Final[OrderedDict[tuple[str, K], T]] = OrderedDict()
        self._turns: Final[dict[tuple[str, K], _Turn]] = {}

    def known(self, registry: str, keys: Collection[K]) -> dict[K, T]:
        """Return those that are kept."""
        return {key: kept for key in keys if (kept := self._get((registry, key))) is not None}

    def keep(self, registry: str, told: Mapping[K, T]) -> None:
        """Keep these."""
        for key, what in told.items():
            before = self._kept.pop((registry, key), None)
            self._weight += self._weight_of(what) - (self._weight_of(before) if before is not None else 0)
            self._kept[registry, key] = what
        while self._weight > self._most_kept and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._weight -= self._weight_of(oldest)

    async def read_once(self, registry: str, key: K, read: Callable[[], Awaitable[T]]) -> T:
        """Return what `read` returns, calling it only where nobody has.

        A failure is its caller's alone: whoever waited tries for himself, since the next repository may allow what
        one forbids.
        """
        with self._turn((registry, key)) as lock:
            async with lock:
                kept = self._get((registry, key))
                if kept is None:
                    kept = await read()
                    self.keep(registry, {key: kept})
                return kept

    def _get(self, key: tuple[str, K]) -> T | None:
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    @contextmanager
    def _turn(self, key: tuple[str, K]) -> Iterator[asyncio.Lock]:
        turn = self._turns.setdefault(key, _Turn())
        turn.waiting += 1
        try:
            yield turn.lock
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[key]
