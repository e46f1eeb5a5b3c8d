"""Any registry that speaks Registry V2: the catalog, tag lists, manifests. Source: OCI distribution-spec."""

from collections.abc import AsyncGenerator
from typing import Final

from shared.messages.images_observed import ObservedManifest
from shared.messages.tags_found import FoundTag
from shared.oci.digest import Digest
from shared.registry.client import FetchedManifest, RegistryClient, Unchanged
from shared.registry.dialect import RepositoriesPage, Signs, TagsPage
from shared.registry.plan import Plan, Size, Step, pages
from shared.registry.session import Session


def dialect(session: Session) -> "V2":
    """Return the registry as plain Registry V2."""
    return V2(session, RegistryClient(session, f"{session.connection.host}/v2/"))


async def recognised(signs: Signs) -> str | None:
    """Return why this is a registry at all: the last row that is asked."""
    if signs.root.headers.get("docker-distribution-api-version") or signs.root.status in (200, 401):
        return "it speaks Registry V2, and shows no sign of a product that can be read at less cost"
    return None


class V2:
    """client: one method per endpoint."""

    def __init__(self, session: Session, client: RegistryClient) -> None:
        self._session: Final = session
        self.client: Final = client

    async def repositories(self, cursor: str | None = None) -> AsyncGenerator[RepositoriesPage, None]:
        while True:
            page = await self.client.catalog(cursor)
            cursor = page.cursor
            yield RepositoriesPage(names=page.names, cursor=cursor)
            if cursor is None:
                return

    async def tags(self, repository: str, cursor: str | None = None) -> TagsPage:
        page = await self.client.tags(repository, cursor)
        return TagsPage(tuple(FoundTag(name=name) for name in page.names), page.cursor)

    async def image(self, repository: str, tag: FoundTag) -> tuple[ObservedManifest, ...]:
        return ()

    async def manifest(
        self, repository: str, reference: str, known: Digest | None = None
    ) -> FetchedManifest | Unchanged:
        return await self.client.manifest(repository, reference, known)

    async def config(self, repository: str, digest: Digest) -> bytes:
        return await self.client.config(repository, digest)

    async def plan(self, size: Size) -> Plan:
        return Plan("Registry V2", "the connection says so", v2_steps(size, self._session.connection.page_size))

    async def close(self) -> None:
        await self._session.close()


def v2_steps(size: Size, page_size: int) -> tuple[Step, ...]:
    """Return the steps of reading plain Registry V2."""
    return (
        Step("lister", "the catalog", "it names all repositories", pages(size.repositories, page_size)),
        Step("tagger", "a tag list of each repository", "nothing lists the tags of several", size.repositories),
        Step(
            "manifester",
            "each tag on condition that it changed; new manifests and their configs",
            "the list tells no digests; an unchanged tag costs an answer without a body",
            size.tags + size.new_digests,
        ),
    )
