"""A store held in memory, as the manifester sees it."""

from collections.abc import Collection
from dataclasses import dataclass, field

from shared.oci.digest import Digest
from shared.store.rows import ConfigRow


@dataclass
class FakeStore:
    """tags: (repository, tag) → digest, of those known whole.  configs: by digest.  asked: what was asked for.

    digests: of repositories, known beside those of tags.
    """

    tags: dict[tuple[str, str], Digest] = field(default_factory=dict)
    configs: dict[Digest, ConfigRow] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    digests: set[tuple[str, Digest]] = field(default_factory=set)

    async def known_repositories(self, registry: str) -> set[str]:
        self.asked.append("repositories")
        return {repository for repository, _ in self.tags}

    async def known_tags(self, registry: str, repository: str, tags: Collection[str]) -> dict[str, Digest]:
        self.asked.append("tags")
        return {tag: self.tags[repository, tag] for tag in tags if (repository, tag) in self.tags}

    async def known_digests(self, registry: str, repository: str, digests: Collection[Digest]) -> set[Digest]:
        self.asked.append("digests")
        return {digest for digest in digests if (repository, digest) in self.digests}

    async def known_configs(self, registry: str, digests: Collection[Digest]) -> dict[Digest, ConfigRow]:
        self.asked.append("configs")
        return {digest: self.configs[digest] for digest in digests if digest in self.configs}
