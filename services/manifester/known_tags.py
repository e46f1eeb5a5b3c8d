"""What the store knows of a page's tags and digests, asked only where it can know something."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Final, Protocol

from services.manifester.lately_read import LatelyRead
from shared.messages.model import ScanContext, ScanKind
from shared.messages.tags_found import TagsFound
from shared.oci.digest import Digest

NAMES_KEPT: Final = 500_000
"""Names of repositories known at the beginning of scans, that are kept of all scans under way: some 50 MB.
Where they are too many, each page of a scan that was forgotten asks for all of its registry's names again."""

_SCAN: Final = 10
"""What a scan weighs itself, in names."""


class KnowsTags(Protocol):
    """What the store tells (`shared.store`). While it does not answer, the page waits."""

    async def known_repositories(self, registry: str) -> Collection[str]: ...

    async def known_tags(self, registry: str, repository: str, tags: Collection[str]) -> Mapping[str, Digest]: ...

    async def known_digests(
        self, registry: str, repository: str, digests: Collection[Digest]
    ) -> Collection[Digest]: ...


class KnownTags:
    """Asks once a full scan which repositories are known, and of the others nothing more: on a first load, nothing.

    What another scan stores meanwhile is not noticed: its tags are read once more, and told as they are.
    """

    def __init__(self, store: KnowsTags) -> None:
        self._store: Final = store
        self._repositories: Final[LatelyRead[int, Collection[str]]] = LatelyRead(
            NAMES_KEPT, lambda names: _SCAN + len(names)
        )

    async def of(self, page: TagsFound) -> Mapping[str, Digest]:
        """Return tag → digest of the page's tags that are known whole. Raises what the store raises.

        A tag that is new, or was moved, is known too where the listing told its digest and that is known.
        """
        context = page.context
        if context.kind is ScanKind.FULL and page.repository not in await self._known_repositories(context):
            return {}
        names = [tag.name for tag in page.tags]
        known = dict(await self._store.known_tags(context.registry, page.repository, names))
        told = {manifest.digest for manifest in page.told}
        changed = {tag.name: tag.digest for tag in page.tags if tag.digest and tag.digest != known.get(tag.name)}
        if missing := set(changed.values()) - told:
            stored = await self._store.known_digests(context.registry, page.repository, missing)
            known |= {name: digest for name, digest in changed.items() if digest in stored}
        return known

    async def _known_repositories(self, context: ScanContext) -> Collection[str]:
        ask = partial(self._store.known_repositories, context.registry)
        return await self._repositories.read_once(context.registry, context.scan, ask)
