"""GitLab: repositories by its groups and projects, tags with digests and platforms by its registry's own API.

The connection's host is the registry's; where GitLab itself lies, the registry's challenge tells (its token service is
GitLab's `/jwt/auth`). The catalog is for administrators; anybody else is shown the repositories of the groups and
projects of which he is a member, as a reporter at least. Where the registry runs without its database, its own API is
not there, and tags are read by Registry V2.
Source: GitLab, Container registry API, Groups API, Projects API; container-registry, docs/spec/gitlab/api.md.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import Field, TypeAdapter

from shared.errors import PermanentError, TallymanError
from shared.messages.images_observed import ObservedManifest
from shared.messages.model import Failure
from shared.messages.tags_found import FoundTag
from shared.oci.digest import Digest
from shared.oci.documents import Text, moment
from shared.oci.manifest import is_cosign_tag
from shared.oci.media_types import IMAGE_CONFIGS, IMAGE_MANIFESTS
from shared.oci.platform import Platform
from shared.registry.answer import SMALL_BYTES, Answer, host_of
from shared.registry.challenges import parse_challenges
from shared.registry.client import FetchedManifest, RegistryClient, Unchanged
from shared.registry.dialect import RepositoriesPage, Signs, TagsPage
from shared.registry.errors import (
    CatalogForbidden,
    CursorLost,
    Forbidden,
    NotARegistry,
    RequestRefused,
    SignInRejected,
)
from shared.registry.names import check_names, repository_path
from shared.registry.pagination import Cursor, Start, cursor_lost, names_after, next_cursor, next_link
from shared.registry.plan import Plan, Size, Step, pages
from shared.registry.product_api import ApiMissing, Part, ProductApi, read_as
from shared.registry.session import Session
from shared.registry.tokens import token_service
from shared.registry.user_agent import USER_AGENT

_NAME: Final = "GitLab"
_TOKENS: Final = "/jwt/auth"
_PER_PAGE: Final = 100
_TAGS_PER_PAGE: Final = 1000
_REPORTER: Final = "20"
"""The least role that may read a private project's registry."""
_UNKNOWN: Final = frozenset({"", "unknown"})


class _Group(Part):
    id: int
    full_path: str


class _Project(Part):
    id: int
    path: str = Field(alias="path_with_namespace")
    registry: bool | None = Field(None, alias="container_registry_enabled")


class _Repository(Part):
    id: int
    path: str


class _Tag(Part):
    name: str
    digest: Digest
    media_type: str = ""
    published_at: Any = None
    created_at: Any = None


class _TellsPlatform(Part):
    os: Text = ""
    architecture: Text = ""


class _Config(Part):
    media_type: str = ""
    platform: _TellsPlatform | None = None


class _Manifest(Part):
    digest: Digest
    media_type: str = ""


class _Image(Part):
    manifest: _Manifest
    config: _Config | None = None


class _Detail(Part):
    image: _Image


E = TypeVar("E", _Group, _Project, _Repository)

_GROUPS: Final = TypeAdapter(list[_Group])
_PROJECTS: Final = TypeAdapter(list[_Project])
_REPOSITORIES: Final = TypeAdapter(list[_Repository])
_TAGS: Final = TypeAdapter(list[_Tag])
_DETAIL: Final = TypeAdapter(_Detail)


def dialect(session: Session) -> "GitLab":
    """Return the registry as GitLab's."""
    return GitLab(session)


async def recognised(signs: Signs) -> str | None:
    """Return why this is GitLab's registry: its headers, or its token service."""
    headers = signs.root.headers
    if "gitlab-container-registry-version" in headers:
        return "its headers name GitLab's container registry"
    if f'{_TOKENS}"' in headers.get("www-authenticate", "") and "container_registry" in headers["www-authenticate"]:
        return f"its token service is GitLab's {_TOKENS}"
    return None


class ApiRefused(PermanentError):
    """GitLab does not show its groups and projects to whoever has this token."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"GitLab at {host} does not show its groups and projects to this token. Use a personal or group access "
            "token with read_api and read_registry as the password (deploy tokens cannot ask), or name the "
            "repositories in the connection.",
            reason="product_api_refused",
        )


class GitLab:
    """GitLab's registry, with the GitLab beside it."""

    def __init__(self, session: Session) -> None:
        host = session.connection.host
        self._session: Final = session
        self._client: Final = RegistryClient(session, f"{host}/v2/")
        self._own: Final = RegistryClient(session, f"{host}/gitlab/v1/")
        self._host: Final = host_of(httpx.URL(host))
        self._one: Final = asyncio.Lock()
        self._api: ProductApi | None = None
        self._is_admin = True
        self._has_own_api = True

    async def repositories(self, cursor: str | None = None) -> AsyncGenerator[RepositoriesPage, None]:
        """Yield the catalog where the account may read it, else what its groups and projects hold."""
        if self._is_admin:
            try:
                async for page in self._catalog(cursor):
                    yield page
                return
            except (CatalogForbidden, NotARegistry):
                if cursor is not None:
                    raise
                self._is_admin = False
        api = await self._gitlab()
        groups = _outermost(await self._all(api, "/groups", "its groups", _member(), _GROUPS))
        for group in groups:
            yield await self._repositories_of(api, f"/groups/{group.id}", group.full_path)
        within = tuple(f"{group.full_path}/" for group in groups)
        async for projects in self._projects(api):
            yield RepositoriesPage()
            for project in projects:
                if project.registry is not False and not project.path.startswith(within):
                    yield await self._repositories_of(api, f"/projects/{project.id}", project.path)

    async def tags(self, repository: str, cursor: str | None = None) -> TagsPage:
        """Return one page of a repository's tags, with digests where the registry's own API is there."""
        if self._has_own_api:
            try:
                return await self._own_tags(repository, cursor)
            except NotARegistry:
                if cursor is not None:
                    raise cursor_lost(self._host) from None
                self._has_own_api = False
        page = await self._client.tags(repository, cursor)
        return TagsPage(tuple(FoundTag(name=name) for name in page.names), page.cursor)

    async def image(self, repository: str, tag: FoundTag) -> tuple[ObservedManifest, ...]:
        """Return the image behind a tag with its platform; () for an index, which itself tells more: variants too."""
        if tag.media_type not in IMAGE_MANIFESTS or is_cosign_tag(tag.name):
            return ()
        path = f"repositories/{repository_path(repository)}/tags/detail/{quote(tag.name, safe='')}/"
        what = f"the details of {repository}:{tag.name}"
        try:
            detail = read_as(_DETAIL, await self._own.told(path, repository, what), what)
        except (NotARegistry, RequestRefused):
            return ()  # not there: what there is instead, the manifest tells
        told = _told(detail.image)
        return (told,) if told else ()

    async def manifest(
        self, repository: str, reference: str, known: Digest | None = None
    ) -> FetchedManifest | Unchanged:
        return await self._client.manifest(repository, reference, known)

    async def config(self, repository: str, digest: Digest) -> bytes:
        return await self._client.config(repository, digest)

    async def plan(self, size: Size) -> Plan:
        """Return the plan of an account without administrator's rights; asks nothing."""
        tags = max(size.repositories, pages(size.tags, _TAGS_PER_PAGE))
        repositories = 3 + pages(size.repositories, _PER_PAGE)
        way = "the repositories of its groups, then of projects outside of them"
        return Plan(
            _NAME,
            "the connection says so",
            (
                Step("lister", way, "the catalog is for administrators", repositories),
                Step("tagger", "tags with digests, a thousand a page", "the registry's own API tells them", tags),
                Step("manifester", "the details of new tags", "they tell the platform at once", size.new_digests),
            ),
        )

    async def close(self) -> None:
        await self._session.close()

    async def _catalog(self, cursor: str | None) -> AsyncGenerator[RepositoriesPage, None]:
        while True:
            page = await self._client.catalog(cursor)
            cursor = page.cursor
            yield RepositoriesPage(names=page.names, cursor=cursor)
            if cursor is None:
                return

    async def _gitlab(self) -> ProductApi:
        """Return GitLab's API, found by the registry's challenge; what is asked there is asked with the password."""
        async with self._one:
            if self._api is None:
                registry = httpx.URL(f"{self._session.connection.host}/v2/")
                headers = {"User-Agent": USER_AGENT}
                answer = await self._session.sender.ask("GET", registry, headers, SMALL_BYTES)
                self._api = ProductApi(self._session, _api_base(registry, answer), as_token=True, rejects=False)
            return self._api

    async def _repositories_of(self, api: ProductApi, path: str, name: str) -> RepositoriesPage:
        """Return the repositories of a group, its subgroups' included, or of a project; or why they are not known."""
        try:
            found = await self._all(
                api, f"{path}/registry/repositories", f"the repositories of {name}", (), _REPOSITORIES
            )
            return RepositoriesPage(names=check_names(self._host, (repository.path for repository in found)))
        except SignInRejected:
            raise
        except TallymanError as error:
            return RepositoriesPage(failures=(Failure(what=name, reason=error.reason, detail=str(error)),))

    async def _projects(self, api: ProductApi) -> AsyncGenerator[list[_Project], None]:
        """Yield the projects of which the account is a member, by keyset: each page starts after an id."""
        after = 0
        while True:
            keyset = (("pagination", "keyset"), ("order_by", "id"), ("sort", "asc"), ("id_after", str(after)))
            query = (("membership", "true"), *_member(), *keyset, ("per_page", str(_PER_PAGE)))
            projects = read_as(_PROJECTS, await api.get("/projects", "its projects", query), "its projects")
            if not projects or projects[-1].id <= after:
                return
            after = projects[-1].id
            yield projects
            if len(projects) < _PER_PAGE:
                return

    async def _all(
        self, api: ProductApi, path: str, what: str, query: Sequence[tuple[str, str]], kind: TypeAdapter[list[E]]
    ) -> list[E]:
        """Return all of a list in numbered pages; read once more where it changed meanwhile.

        Raises CursorLost where it changed again; ApiRefused where the list of groups is refused.
        """
        try:
            return await self._once(api, path, what, query, kind)
        except CursorLost:
            return await self._once(api, path, what, query, kind)
        except (Forbidden, ApiMissing) as error:
            raise ApiRefused(api.host) if path == "/groups" else error from error

    async def _once(
        self, api: ProductApi, path: str, what: str, query: Sequence[tuple[str, str]], kind: TypeAdapter[list[E]]
    ) -> list[E]:
        found: dict[int, E] = {}
        totals: set[str] = set()
        page = "1"
        for _ in range(self._session.most_pages):
            answer = await api.get(path, what, (*query, ("per_page", str(_PER_PAGE)), ("page", page)))
            found.update((entry.id, entry) for entry in read_as(kind, answer, what))
            totals.add(answer.headers.get("x-total", ""))
            page = answer.headers.get("x-next-page", "")
            if not page:
                break
        # A list of more than 10,000 tells no total: then nothing says that it stayed the same, unless it is one page.
        if page or len(totals) != 1 or (len(found) > _PER_PAGE and totals != {str(len(found))}):
            raise cursor_lost(self._host)
        return list(found.values())

    async def _own_tags(self, repository: str, cursor: str | None) -> TagsPage:
        at = Cursor.parse(cursor) if cursor is not None else None
        tags, link = await self._own_page(repository, at.start if at else None)
        if at and not tags and link is None:
            earlier, link = await self._own_page(repository, at.earlier_start)
            left = set(names_after(at, tuple(tag.name for tag in earlier), self._host))
            tags = [tag for tag in earlier if tag.name in left]
        names = tuple(tag.name for tag in tags)
        following = next_cursor(at, link, names, self._host, self._session.most_pages)
        return TagsPage(tuple(map(_found, tags)), str(following) if following else None)

    async def _own_page(self, repository: str, start: Start | None) -> tuple[list[_Tag], Start | None]:
        """Return a page of tags, and the link to the next."""
        what = f"the tags of {repository}"
        path = f"repositories/{repository_path(repository)}/tags/list/"
        size = min(_TAGS_PER_PAGE, self._session.connection.page_size * 10)
        answer = await self._own.told(path, repository, what, [("n", str(size)), *([start] if start else [])])
        tags = read_as(_TAGS, answer, what)
        check_names(self._host, (tag.name for tag in tags))
        return tags, next_link(answer.headers.get_list("link"), self._host)


def _found(tag: _Tag) -> FoundTag:
    pushed = moment(tag.published_at) or moment(tag.created_at)
    return FoundTag(name=tag.name, digest=tag.digest, media_type=tag.media_type, created=pushed)


def _api_base(registry: httpx.URL, answer: Answer) -> str:
    """Return where GitLab's API lies. Raises TokenServiceRefused, NotARegistry."""
    for challenge in parse_challenges(answer.headers.get_list("www-authenticate")):
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            realm = token_service(registry, challenge).realm
            if realm.path.endswith(_TOKENS):
                return f"{str(realm.copy_with(query=None)).removesuffix(_TOKENS)}/api/v4"
    raise NotARegistry(
        f"{host_of(registry)} does not send its readers to a GitLab for tokens. Choose another type for the "
        "connection, or name the repositories in it.",
        reason="not_this_product",
    )


def _member() -> tuple[tuple[str, str], ...]:
    return (("min_access_level", _REPORTER),)


def _outermost(groups: Iterable[_Group]) -> list[_Group]:
    """Return the groups that lie in no other of them: a group's repositories are its subgroups' too."""
    outermost: list[_Group] = []
    for group in sorted(groups, key=lambda group: group.full_path.count("/")):
        if not any(group.full_path.startswith(f"{outer.full_path}/") for outer in outermost):
            outermost.append(group)
    return outermost


def _told(image: _Image) -> ObservedManifest | None:
    """Return the image, None where this is none, or its platform is not told."""
    config = image.config
    if image.manifest.media_type not in IMAGE_MANIFESTS or config is None or config.media_type not in IMAGE_CONFIGS:
        return None
    platform = config.platform or _TellsPlatform()
    if {platform.os, platform.architecture} & _UNKNOWN:
        return None
    return ObservedManifest(
        digest=image.manifest.digest,
        kind="image",
        media_type=image.manifest.media_type,
        platform=Platform(os=platform.os, architecture=platform.architecture),
    )
