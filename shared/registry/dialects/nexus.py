"""Sonatype Nexus Repository: whole docker repositories by its components API, tag by tag with digests.

A server has many docker repositories ("shelves" here); an image is named shelf/image. Newer servers give 100 components
a page, with architecture; older ones 10, without. Source: Sonatype, REST and Integration API (components,
repositories); notes of experiments on Nexus 3.71 and 3.96.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from pydantic import Field, TypeAdapter

from shared.errors import PermanentError, TallymanError
from shared.messages.images_observed import ObservedManifest
from shared.messages.model import Failure
from shared.messages.tags_found import FoundTag
from shared.oci.digest import Digest
from shared.oci.documents import Text, moment
from shared.oci.manifest import is_cosign_tag
from shared.oci.media_types import IMAGE_MANIFESTS, bare
from shared.oci.platform import Platform
from shared.registry.client import FetchedManifest, RegistryClient, Unchanged
from shared.registry.dialect import Listing, RepositoriesPage, Signs, TagsPage
from shared.registry.errors import CursorStuck, Forbidden, NotARegistry, SignInRejected
from shared.registry.names import check_names
from shared.registry.plan import Plan, Size, Step, pages
from shared.registry.product_api import ApiMissing, Part, ProductApi, read_as
from shared.registry.session import Session
from shared.registry.shelves import SIGN_OF_LIFE, Shelves, catalog, nothing_visible, unread

_NAME: Final = "Sonatype Nexus Repository"
_API: Final = "/service/rest/v1"
_UNKNOWN: Final = frozenset({"", "unknown"})


class _Repository(Part):
    name: str
    format: str = ""
    type: str = ""


class _Docker(Part):
    """What newer servers tell of an image; of an index, one of its platforms."""

    os: Text | None = None
    architecture: Text | None = None
    created: Any = None


class _Asset(Part):
    path: str = ""
    content_type: str | None = Field(None, alias="contentType")
    checksum: dict[str, Any] | None = None
    last_modified: Any = Field(None, alias="lastModified")
    docker: _Docker | None = None


class _Component(Part):
    """A tag.  name: of the image.  version: the tag."""

    name: str
    version: str | None = None
    assets: tuple[_Asset, ...] = Field((), strict=False)


class _Components(Part):
    items: tuple[_Component, ...] = Field(strict=False)
    continuation: str | None = Field(None, alias="continuationToken")


class _Members(Part):
    names: tuple[str, ...] = Field(alias="memberNames", strict=False)


class _Group(Part):
    group: _Members


_REPOSITORIES: Final = TypeAdapter(list[_Repository])
_COMPONENTS: Final = TypeAdapter(_Components)
_GROUP: Final = TypeAdapter(_Group)


def dialect(session: Session) -> "Nexus":
    """Return the registry as Nexus: a whole server, or one docker repository at a port or subdomain of its own."""
    return Nexus(session)


async def recognised(signs: Signs) -> str | None:
    """Return why this is Nexus: its Server header, or its REST API where a proxy hides that."""
    if signs.root.headers.get("server", "").lower().startswith("nexus/"):
        return "its Server header says Nexus"
    if signs.root.status not in (200, 401):
        answer = await signs.ask(f"{_API}/repositories")
        if answer.status in (200, 401, 403) and not answer.is_web_page():
            return "the Nexus REST API answers there"
    return None


@dataclass
class _Shelf:
    """A docker repository as read so far: image -> tag -> what was found; facts by digest."""

    name: str
    images: dict[str, dict[str, FoundTag]] = field(default_factory=dict)
    told: dict[Digest, ObservedManifest] = field(default_factory=dict)

    def add(self, component: _Component) -> None:
        """Take a component: a tag, unless its version is a digest."""
        tag = component.version
        if tag is None or tag.startswith("sha256:"):
            return
        asset = next((asset for asset in component.assets if asset.path.endswith(f"/manifests/{tag}")), _Asset())
        digest = _digest(asset)
        found = FoundTag(name=tag, digest=digest, created=moment(asset.last_modified))
        self.images.setdefault(component.name, {})[tag] = found
        if digest and not is_cosign_tag(tag) and (image := _image(digest, asset)):
            self.told[digest] = image

    def listings(self, host: str) -> tuple[Listing, ...]:
        """Return the images, each with all its tags. Raises BadName."""
        return tuple(
            self._listing(check_names(host, (image, *tags))[0], tuple(tags.values()))
            for image, tags in self.images.items()
        )

    def _listing(self, image: str, tags: tuple[FoundTag, ...]) -> Listing:
        told = {tag.digest: self.told[tag.digest] for tag in tags if tag.digest in self.told}
        return Listing(f"{self.name}/{image}", tags, tuple(told.values()))


class Nexus:
    """A server where its API answers; else the address is one docker repository's own, and plain Registry V2."""

    def __init__(self, session: Session) -> None:
        self._session: Final = session
        self._api: Final = ProductApi(session, session.connection.host + _API)
        self._own: Final = RegistryClient(session, f"{session.connection.host}/v2/")
        self._shelves: Final = Shelves(session, lambda shelf: f"{session.connection.host}/repository/{shelf}/v2/")
        self._one: Final = asyncio.Lock()
        self._is_server: bool | None = None
        self._may_see_members = True

    async def repositories(self, cursor: str | None = None) -> AsyncGenerator[RepositoriesPage, None]:
        """Yield shelf by shelf; one that cannot be read is told, and the others are read all the same."""
        shelves = None if cursor is not None else await self._docker_repositories()
        if shelves is None:
            async for page in catalog(self._own, cursor):
                yield page
            return
        yield RepositoriesPage(failures=await self._hidden_members(shelves))
        for shelf in _read(shelves):
            try:
                async for page in self._shelf(shelf.name):
                    yield page
            except SignInRejected:
                raise
            except TallymanError as error:
                yield unread(shelf.name, error)

    async def tags(self, repository: str, cursor: str | None = None) -> TagsPage:
        """Return one page of the tags of shelf/image, by Registry V2."""
        client, image = await self._placed(repository)
        page = await client.tags(image, cursor)
        return TagsPage(tuple(FoundTag(name=name) for name in page.names), page.cursor)

    async def image(self, repository: str, tag: FoundTag) -> tuple[ObservedManifest, ...]:
        return ()

    async def manifest(
        self, repository: str, reference: str, known: Digest | None = None
    ) -> FetchedManifest | Unchanged:
        client, image = await self._placed(repository)
        return await client.manifest(image, reference, known)

    async def config(self, repository: str, digest: Digest) -> bytes:
        client, image = await self._placed(repository)
        return await client.config(image, digest)

    async def plan(self, size: Size) -> Plan:
        """Return the plan; asks for the repositories and one page of components, to see which generation it is."""
        shelves = await self._docker_repositories()
        if shelves is None:
            step = Step("lister", "the catalog", "the address is one docker repository's own", 1)
            tags = Step("tagger", "a tag list of each image", "there is no components API", size.repositories)
            manifests = Step("manifester", "each tag, on condition", "the list tells no digests", size.tags)
            return Plan(_NAME, "the connection says so", (step, tags, manifests))
        read = _read(shelves)
        first = await self._page(read[0].name, None)
        each = 100 if len(first.items) > 10 or any(asset.docker for c in first.items for asset in c.assets) else 10
        requests = 1 + len(shelves) + pages(size.tags, each)
        way = f"components of each of {len(read)} docker repositories, {each} a page"
        return Plan(
            _NAME,
            "the connection says so",
            (
                Step("lister", way, "they tell images, tags and digests at once", requests),
                Step("tagger", "nothing", "the components told the tags", 0),
                Step("manifester", "new digests whose platform is not told", "all else is known", size.new_digests),
            ),
        )

    async def close(self) -> None:
        await self._session.close()

    async def _docker_repositories(self) -> list[_Repository] | None:
        """Return the docker repositories that the account may browse; None where this is no server's address.

        Raises PermanentError for none at all: to guests, and to accounts without rights, a full server looks so too.
        """
        async with self._one:
            if self._is_server is None:
                self._is_server = await self._answers_as_server()
        if not self._is_server:
            return None
        answer = await self._api.get("/repositories", "its repositories")
        every = read_as(_REPOSITORIES, answer, "its repositories")
        shelves = [repository for repository in every if repository.format == "docker"]
        check_names(self._api.host, (shelf.name for shelf in shelves))
        if not shelves:
            raise nothing_visible(self._api.host, signed_in=self._session.credentials is not None)
        return shelves

    async def _answers_as_server(self) -> bool:
        """Tell whether the REST API is there. Asked as a guest: a password shown elsewhere may count as a failure."""
        guest = ProductApi(self._session.as_guest(), self._session.connection.host + _API)
        try:
            await guest.get("/repositories", "its repositories")
        except (ApiMissing, NotARegistry):
            return False
        except PermanentError:
            pass  # guests are not let in: it is there
        return True

    async def _hidden_members(self, shelves: list[_Repository]) -> tuple[Failure, ...]:
        """Return the groups that have members this account does not see: what is only there is not read.

        A group shows its members' images again, so it is read only where the account sees none of any repository. Who
        may not read a group's settings is not told what it is made of.
        """
        seen = {shelf.name for shelf in shelves if shelf.type != "group"}
        hidden = []
        for group in shelves if seen and self._may_see_members else ():
            if group.type != "group":
                continue
            try:
                answer = await self._api.get(f"/repositories/docker/group/{group.name}", f"the group {group.name}")
            except (Forbidden, ApiMissing):
                self._may_see_members = False
                break
            if missing := set(read_as(_GROUP, answer, f"the group {group.name}").group.names) - seen:
                detail = f"The account does not see its members {', '.join(sorted(missing))}: let it browse them."
                hidden.append(Failure(what=group.name, reason="group_member_hidden", detail=detail))
        return tuple(hidden)

    async def _shelf(self, name: str) -> AsyncGenerator[RepositoriesPage, None]:
        """Yield the images of a docker repository once all its components are read: they come in no order."""
        shelf, token = _Shelf(name), None
        for number in count(1):
            try:
                page = await self._page(name, token)
            except (Forbidden, ApiMissing):
                async for told in catalog(self._shelves.client(name), shelf=name):
                    yield told
                return
            for component in page.items:
                shelf.add(component)
            if page.continuation is None:
                break
            if page.continuation == token or number >= self._session.most_pages:
                raise CursorStuck(f"{self._api.host} does not come to the end of {name}.", reason="cursor_stuck")
            token = page.continuation
            if number % SIGN_OF_LIFE == 0:
                yield RepositoriesPage()
        yield RepositoriesPage(listings=shelf.listings(self._api.host))

    async def _page(self, shelf: str, token: str | None) -> _Components:
        query = [("repository", shelf), *([("continuationToken", token)] if token else [])]
        what = f"the components of {shelf}"
        return read_as(_COMPONENTS, await self._api.get("/components", what, query), what)

    async def _placed(self, repository: str) -> tuple[RegistryClient, str]:
        """Return the client of a repository's shelf, and its name there."""
        if self._is_server is None:
            await self._docker_repositories()
        if not self._is_server:
            return self._own, repository
        return self._shelves.placed(repository)


def _read(shelves: list[_Repository]) -> list[_Repository]:
    """Return what is read of these: no group, unless there is nothing else."""
    return [shelf for shelf in shelves if shelf.type != "group"] or shelves


def _digest(asset: _Asset) -> Digest | None:
    told = (asset.checksum or {}).get("sha256")
    try:
        return Digest(f"sha256:{told}")
    except PermanentError:
        return None


def _image(digest: Digest, asset: _Asset) -> ObservedManifest | None:
    """Return the image, None where this is none, or the server does not tell its platform."""
    docker = asset.docker or _Docker()
    media_type = bare(asset.content_type or "")
    if media_type not in IMAGE_MANIFESTS or {docker.os or "", docker.architecture or ""} & _UNKNOWN:
        return None
    return ObservedManifest(
        digest=digest,
        kind="image",
        media_type=media_type,
        platform=Platform(os=docker.os or "", architecture=docker.architecture or ""),
        created=moment(docker.created),
    )
