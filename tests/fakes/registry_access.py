"""A registry held in memory, as the loading stages see one, and the connection to it."""

from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from services.access import RegistryAccess
from shared.connections.records import Recorded
from shared.connections.secrets import SecretUnreadable
from shared.connections.snapshot import ConnectionsSnapshot
from shared.errors import TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.images_observed import ObservedManifest
from shared.messages.model import Message, ScanContext
from shared.messages.tags_found import FoundTag
from shared.oci.digest import Digest
from shared.oci.media_types import OCI_MANIFEST
from shared.registry.client import FetchedManifest, Unchanged
from shared.registry.dialect import RepositoriesPage, TagsPage
from shared.registry.errors import ManifestGone, RegistryUnavailable, RepositoryGone
from shared.registry.meter import count_request
from shared.registry.pagination import Page

REGISTRY = "registry0"
UNREADABLE = "encrypted with a lost key"
CONTEXT = ScanContext(registry=REGISTRY, scan=7, connection=3, slot=0, shards=1, partitions=4)


def connection(**settings: Any) -> Connection:
    """The connection to the registry of these tests."""
    return Connection(registry=REGISTRY, slot=0, name="test", host="https://registry.test", **settings)


def unavailable() -> TallymanError:
    """What the client raises once its own attempts are spent."""
    return RegistryUnavailable("registry.test answered 503 each time.", reason="registry_unavailable")


def repository_gone() -> TallymanError:
    """404 with NAME_UNKNOWN."""
    return RepositoryGone("registry.test does not know it.", reason="repository_gone")


def manifest_gone() -> TallymanError:
    """404 with MANIFEST_UNKNOWN."""
    return ManifestGone("registry.test no longer has it.", reason="manifest_gone")


@dataclass
class FakeRegistry:
    """held: repository → tag → manifest body.  manifests, blobs: by digest.

    troubles: what asking leads to, in turn, None = the truth; once they are used up the truth comes.
    asked: what was asked for, in order: `catalog`, `tags NAME`, `image TAG`, `manifest REFERENCE`, `config DIGEST`.
    pages: of the catalog, instead of one made of what is held.  facts: what is told of images, by tag.
    """

    held: dict[str, dict[str, bytes]] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    page_size: int = 1000
    troubles: dict[str, list[TallymanError | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    pages: list[RepositoriesPage] = field(default_factory=list)
    facts: dict[str, tuple[ObservedManifest, ...]] = field(default_factory=dict)

    def add(self, repository: str, tag: str, body: bytes) -> Digest:
        """Put a manifest under a tag; return its digest."""
        self.held.setdefault(repository, {})[tag] = body
        return self.add_manifest(body)

    def add_manifest(self, body: bytes) -> Digest:
        """Put a manifest under its digest alone."""
        self.manifests[Digest.of(body)] = body
        return Digest.of(body)

    def times_asked(self, kind: str) -> int:
        """How often this kind of thing was asked for."""
        return Counter(asked.partition(" ")[0] for asked in self.asked)[kind]

    async def repositories(self, cursor: str | None = None) -> AsyncGenerator[RepositoriesPage, None]:
        for page in self.pages:
            self._ask("catalog")
            yield page
        while not self.pages:
            self._ask("catalog")
            page = self._page(sorted(self.held), cursor)
            cursor = page.cursor
            yield RepositoriesPage(names=page.names, cursor=cursor)
            if cursor is None:
                return

    async def tags(self, repository: str, cursor: str | None = None) -> TagsPage:
        self._ask(f"tags {repository}")
        page = self._page(sorted(self.held[repository]), cursor)
        return TagsPage(tuple(FoundTag(name=name) for name in page.names), page.cursor)

    async def image(self, repository: str, tag: FoundTag) -> tuple[ObservedManifest, ...]:
        if tag.name in self.facts:
            self._ask(f"image {tag.name}")
        return self.facts.get(tag.name, ())

    async def manifest(
        self, repository: str, reference: str, known: Digest | None = None
    ) -> FetchedManifest | Unchanged:
        self._ask(f"manifest {reference}")
        body = self.manifests.get(reference) or self.held[repository].get(reference)
        if body is None:
            raise manifest_gone()
        digest = Digest.of(body)
        return Unchanged(digest) if digest == known else FetchedManifest(digest, OCI_MANIFEST, body)

    async def config(self, repository: str, digest: Digest) -> bytes:
        self._ask(f"config {digest}")
        return self.blobs[digest]

    def _ask(self, what: str) -> None:
        count_request()
        self.asked.append(what)
        waiting = self.troubles.get(what)
        if waiting and (trouble := waiting.pop(0)):
            raise trouble

    def _page(self, names: list[str], cursor: str | None) -> Page:
        start = bisect_right(names, cursor) if cursor else 0
        page = tuple(names[start : start + self.page_size])
        return Page(page, page[-1] if start + self.page_size < len(names) else None)


@dataclass
class FakeConnections:
    """One registry's connection, None = deleted."""

    connection: Connection | None
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def get(self, registry: str, offset: int) -> Connection | None:
        self.asked.append((registry, offset))
        return self.connection

    def now(self) -> ConnectionsSnapshot:
        recorded = [Recorded(0, self.connection.registry, self.connection)] if self.connection else []
        return ConnectionsSnapshot().after(recorded)


class FakeSecrets:
    """Every password decrypts to itself, but one."""

    def decrypt(self, encrypted: str) -> SecretStr:
        if encrypted == UNREADABLE:
            raise SecretUnreadable
        return SecretStr(encrypted)


@dataclass
class FakeClients:
    """Gives the one registry, and notes the passwords it was asked with."""

    registry: FakeRegistry
    passwords: list[SecretStr | None] = field(default_factory=list)

    def of(self, connection: Connection, password: SecretStr | None) -> FakeRegistry:
        self.passwords.append(password)
        return self.registry


def access(registry: FakeRegistry, to: Connection | None) -> RegistryAccess[FakeRegistry]:
    """How a stage reaches the registry over this connection."""
    return RegistryAccess(FakeConnections(to), FakeSecrets(), FakeClients(registry))


async def told(messages: AsyncIterator[Message]) -> list[Message]:
    """All that a handler yields."""
    async with aclosing(messages) as open_messages:  # type: ignore[type-var]
        return [message async for message in open_messages]


def tags_of(names: str, body: bytes = b"{}") -> Mapping[str, bytes]:
    """Tags by their names, one letter each."""
    return dict.fromkeys(names, body)
