"""A store held in memory, as the manifester sees it."""

from collections.abc import Collection
from dataclasses import dataclass, field

from shared.oci.digest import Digest
from shared.store.rows import ConfigRow


@dataclass
class FakeStore:
    """tags: (repository, tag) → digest, of those known whole.  configs: by digest.  asked: what was asked for."""

    tags: dict[tuple[str, str], Digest] = field(default_factory=dict)
    configs: dict[Digest, ConfigRow] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def known_repositories(self, registry: str) -> set[str]:
        self.asked.append("repositories")
        return {repository for repository, _ in self.tags}

    async def known_tags(self, registry: str, repository: str, tags: Collection[str]) -> dict[str, Digest]:
        self.asked.append("tags")
        return {tag: self.tags[repository, tag] for tag in tags if (repository, tag) in self.tags}

    async def known_configs(self, registry: str, digests: Collection[Digest]) -> dict[Digest, ConfigRow]:
        self.asked.append("configs")
        return {digest: self.configs[digest] for digest in digests if digest in self.configs}
