"""Whatever product it is: found out by its signs, once, and read by its own dialect from then on."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import httpx

from shared.errors import PermanentError
from shared.messages.connection_fields import BEARER_ONLY, AuthType, RegistryType
from shared.messages.images_observed import ObservedManifest
from shared.messages.tags_found import FoundTag
from shared.observability.logs import log_of
from shared.oci.digest import Digest
from shared.registry.answer import MANIFEST_BYTES, Answer
from shared.registry.client import FetchedManifest, Unchanged
from shared.registry.dialect import Dialect, RepositoriesPage, Signs, TagsPage, module_of
from shared.registry.plan import Plan, Size
from shared.registry.redirects import follow
from shared.registry.session import Session
from shared.registry.user_agent import USER_AGENT

_LOG: Final = log_of("registry")
_FALLBACK: Final = "nothing it shows says which product it is"


def dialect(session: Session) -> "Auto":
    """Return the registry, its product yet to be found out."""
    return Auto(session)


async def recognised(signs: Signs) -> str | None:
    """Return None: this row is no product."""
    return None


@dataclass(frozen=True)
class _Found:
    """product: whose signs were seen.  why: in words.  dialect: that reads it."""

    product: RegistryType
    why: str
    dialect: Dialect


class Auto:
    """Asks as a guest, so that finding out never costs a sign-in. What cannot be reached is asked again next time."""

    def __init__(self, session: Session) -> None:
        self._session: Final = session
        self._one: Final = asyncio.Lock()
        self._found: _Found | None = None

    async def repositories(self, cursor: str | None = None) -> AsyncGenerator[RepositoriesPage, None]:
        async with aclosing((await self._dialect()).repositories(cursor)) as pages:
            async for page in pages:
                yield page

    async def tags(self, repository: str, cursor: str | None = None) -> TagsPage:
        return await (await self._dialect()).tags(repository, cursor)

    async def image(self, repository: str, tag: FoundTag) -> tuple[ObservedManifest, ...]:
        return await (await self._dialect()).image(repository, tag)

    async def manifest(
        self, repository: str, reference: str, known: Digest | None = None
    ) -> FetchedManifest | Unchanged:
        return await (await self._dialect()).manifest(repository, reference, known)

    async def config(self, repository: str, digest: Digest) -> bytes:
        return await (await self._dialect()).config(repository, digest)

    async def plan(self, size: Size) -> Plan:
        found = await self.found()
        return replace(await found.dialect.plan(size), why=found.why)

    async def close(self) -> None:
        await self._session.close()

    async def found(self) -> _Found:
        """Return what the registry is. Raises TallymanError where it cannot be reached, or cannot be signed in to."""
        async with self._one:
            if self._found is None:
                self._found = await self._find()
                _LOG.info("registry recognised", product=self._found.product.value, why=self._found.why)
            return self._found

    async def _dialect(self) -> Dialect:
        return self._found.dialect if self._found else (await self.found()).dialect

    async def _find(self) -> _Found:
        product, why = await self._recognised()
        connection = self._session.connection
        if product in BEARER_ONLY and connection.auth_type is not AuthType.BEARER:
            raise PermanentError(
                f"{connection.host} is of type {product} ({why}), which takes tokens only: choose bearer as the auth "
                "type of its connection.",
                reason="bearer_required",
            )
        session = replace(self._session, connection=connection.model_copy(update={"type": product}))
        return _Found(product, why, module_of(product).dialect(session))

    async def _recognised(self) -> tuple[RegistryType, str]:
        host = self._session.connection.host
        ask = partial(_as_guest, self._session.as_guest(), host)
        signs = Signs(host, await ask("/v2/"), ask)
        for product in RegistryType:
            if why := await module_of(product).recognised(signs):
                return product, why
        return RegistryType.V2, _FALLBACK


async def _as_guest(guest: Session, host: str, path: str) -> Answer:
    """Return the answer to `GET host + path` without credentials."""

    async def hop(to: httpx.URL, headers: Mapping[str, str]) -> Answer:
        return await guest.sender.ask("GET", to, headers, MANIFEST_BYTES)

    headers = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}
    return await follow(hop, httpx.URL(host + path), headers)
