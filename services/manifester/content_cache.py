"""What was read lately by digest: each once, whichever of the pages worked side by side asks first."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from shared.oci.digest import Digest

T = TypeVar("T")

MOST_KEPT: Final = 10_000
"""Enough to bridge the time until the store has them; some 10 MB."""

_Key = tuple[str, Digest]


@dataclass
class _Turn:
    """Those who want one content: they read it one after another, so all but the first find it read."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class ContentCache(Generic[T]):
    """What contents told (configs, members of indexes), by registry and digest; the least lately used go first."""

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        self._most_kept: Final = most_kept
        self._kept: Final[OrderedDict[_Key, T]] = OrderedDict()
        self._turns: Final[dict[_Key, _Turn]] = {}

    def known(self, registry: str, digests: Collection[Digest]) -> dict[Digest, T]:
        """Return those that are kept."""
        return {digest: kept for digest in digests if (kept := self._get((registry, digest)))}

    def keep(self, registry: str, contents: Mapping[Digest, T]) -> None:
        """Keep these."""
        for digest, content in contents.items():
            self._kept[registry, digest] = content
            self._kept.move_to_end((registry, digest))
        while len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)

    async def read_once(self, registry: str, digest: Digest, read: Callable[[], Awaitable[T]]) -> T:
        """Return the content, calling `read` only where nobody has read it.

        A failure is its caller's alone: whoever waited tries for himself, since the next repository may allow what
        one forbids.
        """
        with self._turn((registry, digest)) as lock:
            async with lock:
                kept = self._get((registry, digest))
                if kept is None:
                    kept = await read()
                    self.keep(registry, {digest: kept})
                return kept

    def _get(self, key: _Key) -> T | None:
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    @contextmanager
    def _turn(self, key: _Key) -> Iterator[asyncio.Lock]:
        turn = self._turns.setdefault(key, _Turn())
        turn.waiting += 1
        try:
            yield turn.lock
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[key]
