"""An estate pushed through the registry's own API, as clients do it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from yarl import URL

from shared.oci import media_types
from shared.oci.digest import Digest
from tests.support.generator import Estate
from tests.support.generator_storage import Storage
from tests.support.registry import Registry

_OCTETS: Final = "application/octet-stream"


async def push(estate: Estate, registry: Registry, concurrency: int = 16) -> None:
    """Push all repositories of the estate, so many at once.

    What the API takes from nobody is written to the storage: schema 1 (refused since 2.0 unless allowed), and the
    repository without tags, which clients can only come to by deleting.
    """
    gate = asyncio.Semaphore(concurrency)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency, ssl=registry.ssl)) as session:
        await asyncio.gather(
            *(_Pusher(estate, registry, session, gate, repository).push() for repository in estate.repositories)
        )


async def push_tag(estate: Estate, registry: Registry, repository: str, tag: str) -> None:
    """Push one tag of the estate as it is there now."""
    alone = Estate({repository: {tag: estate.repositories[repository][tag]}}, estate.contents)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=registry.ssl)) as session:
        await _Pusher(alone, registry, session, asyncio.Semaphore(1), repository).push()


@dataclass
class _Pusher:
    """Pushes one repository. pushed: the blobs and manifests it has already."""

    estate: Estate
    registry: Registry
    session: aiohttp.ClientSession
    gate: asyncio.Semaphore
    repository: str
    pushed: set[Digest] = field(default_factory=set)

    async def push(self) -> None:
        tags = self.estate.repositories[self.repository]
        storage = Storage(self.registry.storage)
        if not tags:
            storage.write(Estate({self.repository: {}}, self.estate.contents))
        async with self.gate:
            self._headers = self.registry.headers(f"repository:{self.repository}:pull,push")
            for tag, digest in tags.items():
                if self.estate.manifests[digest].media_type == media_types.SCHEMA1_SIGNED:
                    storage.put_tag(self.estate, self.repository, tag)
                else:
                    await self._manifest(digest, tag)

    async def _manifest(self, digest: Digest, reference: str) -> None:
        for part in self._parts(digest):
            if part not in self.pushed:
                await self._manifest(part, part)
        for blob in self.estate.manifests[digest].blobs:
            await self._blob(blob)
        made = self.estate.manifests[digest]
        url = f"{self._base}/manifests/{reference}"
        await self._send("PUT", URL(url, encoded=True), made.body, {"Content-Type": made.media_type})
        self.pushed.add(digest)

    def _parts(self, digest: Digest) -> Iterator[Digest]:
        made = self.estate.manifests[digest]
        yield from (child.digest for child in made.children)
        yield from made.attached

    async def _blob(self, digest: Digest) -> None:
        if digest in self.pushed:
            return
        location = URL(await self._send("POST", URL(f"{self._base}/blobs/uploads/")), encoded=True)
        body = self.estate.contents.blobs[digest]
        await self._send(
            "PUT", location.update_query(digest=digest), body, {"Content-Type": "application/octet-stream"}
        )
        self.pushed.add(digest)

    @property
    def _base(self) -> str:
        return f"{self.registry.url}/v2/{self.repository}"

    async def _send(self, method: str, url: URL, body: bytes = b"", more: dict[str, str] | None = None) -> str:
        """Return the Location of the answer, absolute."""
        async with self.session.request(method, url, data=body, headers={**self._headers, **(more or {})}) as answer:
            if answer.status not in {201, 202}:
                raise RuntimeError(f"{method} {url.path} was answered {answer.status}: {await answer.text()}")
            return str(URL(self.registry.url).join(URL(answer.headers["Location"], encoded=True)))
