"""GitFlic: Registry V2 with names of its own and a transport token as password.

Names: `project/OWNER/PROJECT/IMAGE`, `company/COMPANY/IMAGE`, or `IMAGE` alone on an installation's own level. What its
catalog allows is documented nowhere, so asking it is the probe; where it is closed, the connection's own list of
repositories takes its place. Source: GitFlic documentation, Container registry.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from shared.errors import PermanentError
from shared.messages.images_observed import ObservedManifest
from shared.messages.tags_found import FoundTag
from shared.oci.digest import Digest
from shared.registry.client import FetchedManifest, Unchanged
from shared.registry.dialect import RepositoriesPage, Signs, TagsPage
from shared.registry.dialects import v2
from shared.registry.errors import CatalogForbidden, NotARegistry
from shared.registry.plan import Plan, Size
from shared.registry.session import Session

_NAME: Final = "GitFlic"


def dialect(session: Session) -> "GitFlic":
    """Return the registry as GitFlic's."""
    return GitFlic(v2.dialect(session))


async def recognised(signs: Signs) -> str | None:
    """Return why this is GitFlic: it has no mark of its own beside its name."""
    challenge = signs.root.headers.get("www-authenticate", "")
    if "gitflic" in f"{signs.host} {challenge}".lower():
        return "its address or its challenge names GitFlic"
    return None


class CatalogClosed(PermanentError):
    """The catalog is not for this account, or there is none."""

    def __init__(self) -> None:
        super().__init__(
            "GitFlic does not let this account list its repositories. Name them in the connection, as in "
            "project/OWNER/PROJECT/IMAGE, company/COMPANY/IMAGE or IMAGE; the password is a transport token.",
            reason="catalog_closed",
        )


class GitFlic:
    """plain: the same registry, without what is GitFlic's own."""

    def __init__(self, plain: v2.V2) -> None:
        self._plain: Final = plain

    async def repositories(self, cursor: str | None = None) -> AsyncGenerator[RepositoriesPage, None]:
        """Yield the catalog. Also raises CatalogClosed."""
        try:
            async with aclosing(self._plain.repositories(cursor)) as pages:
                async for page in pages:
                    yield page
        except (CatalogForbidden, NotARegistry) as error:
            raise CatalogClosed from error

    async def tags(self, repository: str, cursor: str | None = None) -> TagsPage:
        return await self._plain.tags(repository, cursor)

    async def image(self, repository: str, tag: FoundTag) -> tuple[ObservedManifest, ...]:
        return ()

    async def manifest(
        self, repository: str, reference: str, known: Digest | None = None
    ) -> FetchedManifest | Unchanged:
        return await self._plain.manifest(repository, reference, known)

    async def config(self, repository: str, digest: Digest) -> bytes:
        return await self._plain.config(repository, digest)

    async def plan(self, size: Size) -> Plan:
        return replace(await self._plain.plan(size), product=_NAME)

    async def close(self) -> None:
        await self._plain.close()
