"""One question for all who ask at the same time: a query costs much the same for one key and for a thousand."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass
class _Batch(Generic[K, V]):
    """The keys of those who wait for the same question; answer: None until it is asked."""

    keys: set[K] = field(default_factory=set)
    answer: Mapping[K, V] | None = None


class Together(Generic[K, V]):
    """Asks one question at a time; who comes meanwhile joins the next.

    ask: returns what there is of the keys, by key.  most: keys of one question, but for one caller's own.
    A question begins after all of its keys were wanted, so nobody gets an answer older than the call.
    """

    def __init__(self, ask: Callable[[Collection[K]], Awaitable[Mapping[K, V]]], most: int) -> None:
        self._ask: Final = ask
        self._most: Final = most
        self._one: Final = asyncio.Lock()
        self._joining: _Batch[K, V] = _Batch()

    async def get(self, keys: Collection[K]) -> dict[K, V]:
        """Return what there is of these keys. Raises what `ask` raises; who shared the question asks again."""
        if not keys:
            return {}
        batch = self._joined(keys)
        async with self._one:
            if batch.answer is None:
                if self._joining is batch:
                    self._joining = _Batch()
                batch.answer = await self._ask(batch.keys)
        return {key: batch.answer[key] for key in keys if key in batch.answer}

    def _joined(self, keys: Collection[K]) -> _Batch[K, V]:
        if self._joining.keys and len(self._joining.keys) + len(keys) > self._most:
            self._joining = _Batch()
        self._joining.keys.update(keys)
        return self._joining
