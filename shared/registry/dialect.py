"""The one shape of all dialects: how a product lists repositories, tags and images, and what it tells at once.

A dialect is a module of `shared.registry.dialects`, named as the connection's type, with two functions:

    def dialect(session: Session) -> Dialect
    async def recognised(signs: Signs) -> str | None      # in words why this is the product; None where it is not
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from shared.messages.connection_fields import RegistryType
from shared.messages.images_observed import ObservedManifest
from shared.messages.model import Failure
from shared.messages.tags_found import FoundTag
from shared.oci.digest import Digest
from shared.registry.answer import Answer
from shared.registry.client import FetchedManifest, Unchanged
from shared.registry.plan import Plan, Size
from shared.registry.session import Session


@dataclass(frozen=True)
class Listing:
    """A repository's tags, whole, where listing repositories tells them too.

    told: facts of manifests behind those tags, as far as the product tells them. An index is told with all members.
    """

    repository: str
    tags: tuple[FoundTag, ...]
    told: tuple[ObservedManifest, ...] = ()


@dataclass(frozen=True)
class RepositoriesPage:
    """Part of the list of repositories; may be empty, as a sign of life during long work.

    names: repositories whose tags are yet to be listed.  listings: repositories with their tags.
    cursor: opaque, goes on after this page; None where the reading cannot be cut here.
    failures: what could not be read; the list is not complete then, and proves nothing absent.
    The list ends with the last page that `repositories` yields.
    """

    names: tuple[str, ...] = ()
    listings: tuple[Listing, ...] = ()
    cursor: str | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class TagsPage:
    """Part of a repository's tags.  cursor: opaque, asks for the next page; None on the last.  told: as of Listing."""

    tags: tuple[FoundTag, ...] = ()
    cursor: str | None = None
    told: tuple[ObservedManifest, ...] = ()


class Dialect(Protocol):
    """One registry as its product is read best. Every method raises as `RegistryClient` does."""

    def repositories(self, cursor: str | None = None) -> AsyncGenerator[RepositoriesPage, None]:
        """Yield the list of repositories from the cursor on, page by page."""

    async def tags(self, repository: str, cursor: str | None = None) -> TagsPage:
        """Return one page of a repository's tags. Also raises RepositoryGone, CursorLost, CursorStuck, BadName."""

    async def image(self, repository: str, tag: FoundTag) -> tuple[ObservedManifest, ...]:
        """Return what the product tells of the manifest behind a tag, itself first; () = read the manifest."""

    async def manifest(
        self, repository: str, reference: str, known: Digest | None = None
    ) -> FetchedManifest | Unchanged:
        """Return the manifest a tag or digest points to; Unchanged if that is still the `known` digest."""

    async def config(self, repository: str, digest: Digest) -> bytes:
        """Return a config blob."""

    async def plan(self, size: Size) -> Plan:
        """Return in words how a registry of this size is read, and why so; may ask the registry a few questions."""

    async def close(self) -> None:
        """Close all connections; requests on them fail."""


@dataclass(frozen=True)
class Signs:
    """What a registry shows to anybody.

    host: of the connection, with protocol and path.  root: its answer to `GET /v2/` without credentials.
    ask: answers `GET host + path` as a guest, whatever the status; raises TallymanError where nothing answers.
    """

    host: str
    root: Answer
    ask: Callable[[str], Awaitable[Answer]]


class DialectModule(Protocol):
    """A module of `shared.registry.dialects`."""

    def dialect(self, session: Session) -> Dialect: ...

    async def recognised(self, signs: Signs) -> str | None: ...


def module_of(product: RegistryType) -> DialectModule:
    """Return the dialect's module: RegistryType is the table, its value the file's name."""
    return cast(DialectModule, import_module(f"shared.registry.dialects.{product.value}"))


def open_dialect(session: Session) -> Dialect:
    """Return the dialect of the connection's type."""
    return module_of(session.connection.type).dialect(session)
