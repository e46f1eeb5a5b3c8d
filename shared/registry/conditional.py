"""How a registry is asked whether a tag still points to a known digest: found out once for all, and remembered.

A conditional GET costs an answer without a body where the registry honours it. Where it does not, each one would be
a pull: bytes for nothing, and a new "last pulled" that breaks retention rules. Then a HEAD tells the digest.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum, auto
from typing import Final

from shared.errors import PermanentError
from shared.oci.digest import Digest
from shared.registry.answer import Answer


class Way(Enum):
    """GET with If-None-Match, or HEAD and its digest header, or a plain GET: the first that the registry honours."""

    IF_NONE_MATCH = auto()
    HEAD = auto()
    PLAIN = auto()


_NEXT: Final = {Way.IF_NONE_MATCH: Way.HEAD, Way.HEAD: Way.PLAIN}


class Condition:
    """The way of one registry, as far as it is known. The first request goes alone, so that it finds out for all."""

    def __init__(self) -> None:
        self._way = Way.IF_NONE_MATCH
        self._tried = False
        self._one: Final = asyncio.Lock()

    @asynccontextmanager
    async def way(self) -> AsyncIterator[Way]:
        """Yield the way to ask now."""
        async with AsyncExitStack() as alone:
            if not self._tried:
                await alone.enter_async_context(self._one)
            if self._tried:  # meanwhile, by whoever was first
                await alone.aclose()
            try:
                yield self._way
            finally:
                self._tried = True

    def learn(self, answer: Answer, digest: Digest, unless: Digest | None) -> None:
        """Take from a manifest that came with its body whether a condition on its digest could have spared it.

        unless: the digest it was asked on condition of. Without an entity tag that is the digest there is nothing to
        compare a condition with. Source: RFC 9110, If-None-Match; Distribution tags manifests by their digests.
        """
        tag = answer.headers.get("etag", "").removeprefix("W/").strip('"')
        if digest == unless or tag != digest:
            self.not_honoured(Way.IF_NONE_MATCH)

    def not_honoured(self, way: Way) -> None:
        """Use the next way from now on; who was under way with the same one finds out nothing new."""
        if self._way is way:
            self._way = _NEXT[way]


def head_digest(answer: Answer) -> Digest | None:
    """Return the digest that an answer's headers tell, None where none does.

    Source: OCI distribution-spec, Checking if content exists in the registry; some registries name it otherwise.
    """
    headers = answer.headers
    told = headers.get("docker-content-digest") or f"sha256:{headers.get('x-checksum-sha256', '')}"
    try:
        return Digest(told)
    except PermanentError:
        return None
