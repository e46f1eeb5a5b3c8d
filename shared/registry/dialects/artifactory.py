"""JFrog Artifactory: tags and digests of whole docker repository keys, by one AQL question in pages.

An image is named key/image. Local and federated keys are read as they are, remote ones as their cache, `KEY-cache`:
asking the remote key itself would go upstream. Virtual keys show the others again. Where the address is one key's own
(a subdomain or a port), it is plain Registry V2. What the account may not read, AQL leaves out without a word.
Source: JFrog, Artifactory REST APIs (Get Repositories, Docker), Artifactory Query Language.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from itertools import count
from typing import Any, Final

from pydantic import TypeAdapter

from shared.errors import PermanentError, TallymanError
from shared.messages.connection_fields import AuthType
from shared.messages.images_observed import ObservedManifest
from shared.messages.tags_found import FoundTag
from shared.oci.digest import Digest
from shared.oci.documents import moment
from shared.registry.client import FetchedManifest, RegistryClient, Unchanged
from shared.registry.dialect import Listing, RepositoriesPage, Signs, TagsPage
from shared.registry.errors import CursorLost, CursorStuck, Forbidden, NotARegistry, SignInRejected
from shared.registry.names import check_names
from shared.registry.pagination import cursor_lost
from shared.registry.plan import Plan, Size, Step, pages
from shared.registry.product_api import ApiMissing, Part, ProductApi, read_as
from shared.registry.session import Session
from shared.registry.shelves import SIGN_OF_LIFE, Shelves, catalog, nothing_visible, unread

_NAME: Final = "JFrog Artifactory"
_ROOT: Final = "/artifactory"
_REPOSITORIES_PATH: Final = "/api/repositories"
_DOCKER: Final = (("packageType", "docker"),)
_ITEMS_PER_ENTRY: Final = 10
"""Items asked of AQL for each entry of the connection's page size: its pages cost it less than a catalog's."""
_LIST: Final = "list.manifest.json"


class _Repository(Part):
    key: str
    type: str = ""


class _Item(Part):
    """A manifest's file.  path: image/tag.  sha256: 64 hex characters, absent on files older than that field."""

    path: str
    name: str
    sha256: str | None = None
    modified: Any = None


class _Items(Part):
    results: list[_Item]


_REPOSITORIES: Final = TypeAdapter(list[_Repository])
_ITEMS: Final = TypeAdapter(_Items)


def dialect(session: Session) -> "Artifactory":
    """Return the registry as Artifactory: a whole server, or one key at an address of its own."""
    return Artifactory(session)


async def recognised(signs: Signs) -> str | None:
    """Return why this is Artifactory: its headers or its realm, or its API where a proxy hides those."""
    headers = signs.root.headers
    told = f"{headers.get('server', '')} {headers.get('www-authenticate', '')}".lower()
    if "x-artifactory-id" in headers or "x-jfrog-version" in headers or "artifactory" in told:
        return "its headers name Artifactory"
    if signs.root.status not in (200, 401):
        root = "" if signs.host.endswith(_ROOT) else _ROOT
        answer = await signs.ask(f"{root}{_REPOSITORIES_PATH}?packageType=docker")
        if answer.status in (200, 401, 403) and not answer.is_web_page():
            return "the Artifactory REST API answers there"
    return None


class Artifactory:
    """A server where its API answers; else the address is one key's own, and plain Registry V2."""

    def __init__(self, session: Session) -> None:
        host = session.connection.host
        self._root: Final = host if host.endswith(_ROOT) else host + _ROOT
        self._session: Final = session
        as_token = session.connection.auth_type is AuthType.BEARER
        self._api: Final = ProductApi(session, self._root, as_token=as_token)
        self._own: Final = RegistryClient(session, f"{host}/v2/")
        self._shelves: Final = Shelves(session, self._base)
        self._one: Final = asyncio.Lock()
        self._is_server: bool | None = None

    async def repositories(self, cursor: str | None = None) -> AsyncGenerator[RepositoriesPage, None]:
        """Yield key by key; one that cannot be read is told, and the others are read all the same."""
        keys = None if cursor is not None else await self._keys()
        if keys is None:
            async for page in catalog(self._own, cursor):
                yield page
            return
        for key in keys:
            try:
                async for page in self._key(key):
                    yield page
            except SignInRejected:
                raise
            except TallymanError as error:
                yield unread(key, error)

    async def tags(self, repository: str, cursor: str | None = None) -> TagsPage:
        """Return one page of the tags of key/image, by Registry V2; all where its pages do not come to an end."""
        client, image = await self._placed(repository)
        try:
            page = await client.tags(image, cursor)
        except CursorStuck:
            page = await self._whole(repository.partition("/")[0]).tags(image)
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
        """Return the plan; asks for the keys."""
        keys = await self._keys()
        why = "the connection says so"
        if keys is None:
            lister = Step("lister", "the catalog", "the address is one key's own", 1)
            tagger = Step("tagger", "a tag list of each image", "there is no AQL", size.repositories)
            return Plan(_NAME, why, (lister, tagger, Step("manifester", "each tag, on condition", "", size.tags)))
        requests = 1 + len(keys) + pages(size.tags, self._per_page)
        way = f"AQL over each of {len(keys)} docker repository keys, {self._per_page} manifests a page"
        manifests = "new manifests and their configs"
        return Plan(
            _NAME,
            why,
            (
                Step("lister", way, "it tells images, tags and digests at once", requests),
                Step("tagger", "nothing", "AQL told the tags", 0),
                Step("manifester", manifests, "AQL tells no architecture", 2 * size.new_digests),
            ),
        )

    async def close(self) -> None:
        await self._session.close()

    async def _keys(self) -> list[str] | None:
        """Return the keys to read; None where this is no server's address. Raises PermanentError for none at all."""
        async with self._one:
            if self._is_server is None:
                self._is_server = await self._answers_as_server()
        if not self._is_server:
            return None
        what = "its docker repositories"
        answer = await self._api.get(_REPOSITORIES_PATH, what, _DOCKER)
        found = read_as(_REPOSITORIES, answer, what)
        check_names(self._api.host, (repository.key for repository in found))
        if not found:
            raise nothing_visible(self._api.host, signed_in=self._session.credentials is not None)
        kept = [_stored(repository) for repository in found if repository.type.upper() != "VIRTUAL"]
        return kept or [repository.key for repository in found]

    async def _answers_as_server(self) -> bool:
        """Tell whether the REST API is there. Asked as a guest: a password shown elsewhere may count as a failure."""
        guest = ProductApi(self._session.as_guest(), self._root)
        try:
            await guest.get(_REPOSITORIES_PATH, "its docker repositories", _DOCKER)
        except (ApiMissing, NotARegistry):
            return False
        except PermanentError:
            pass  # guests are not let in: it is there
        return True

    async def _key(self, key: str) -> AsyncGenerator[RepositoriesPage, None]:
        """Yield the images of a key, by AQL, else by its catalog where that is not allowed."""
        try:
            async for page in self._listed(key):
                yield page
        except (Forbidden, ApiMissing):
            async for page in self._catalog(key):
                yield page

    async def _listed(self, key: str) -> AsyncGenerator[RepositoriesPage, None]:
        """Yield the images of a key; they are read once more where they changed meanwhile. Raises CursorLost."""
        items: dict[tuple[str, str], _Item] = {}
        again = False
        while True:
            try:
                async for page in self._read(key, items):
                    yield page
                break
            except CursorLost:
                if again:
                    raise
                again = True
                items.clear()
        yield RepositoriesPage(listings=_listings(self._api.host, key, items))

    async def _read(self, key: str, items: dict[tuple[str, str], _Item]) -> AsyncGenerator[RepositoriesPage, None]:
        """Collect all manifests of a key, with signs of life.

        Each page begins with the last item of the one before: so is seen when something was deleted or pushed before
        it, which moves all offsets. A page with nothing new is the end; a short one is not: rights are looked at last.
        """
        offset, last = 0, None
        for number in count(1):
            page = await self._page(key, offset)
            if last is not None and (not page or page[0] != last):
                raise cursor_lost(self._api.host)
            new = page if last is None else page[1:]
            if not new:
                return
            items.update(((item.path, item.name), item) for item in new)
            offset, last = offset + len(page) - 1, page[-1]
            if number >= self._session.most_pages:
                raise CursorStuck(f"{self._api.host} does not come to the end of {key}.", reason="cursor_stuck")
            if number % SIGN_OF_LIFE == 0:
                yield RepositoriesPage()

    async def _page(self, key: str, offset: int) -> list[_Item]:
        what = f"the manifests of {key} (AQL)"
        body = _question(key, offset, self._per_page).encode()
        answer = await self._api.post("/api/search/aql", what, body, "text/plain")
        return read_as(_ITEMS, answer, what).results

    async def _catalog(self, key: str) -> AsyncGenerator[RepositoriesPage, None]:
        try:
            async for page in catalog(self._shelves.client(key), shelf=key):
                yield page
        except CursorStuck:
            async for page in catalog(self._whole(key), shelf=key):
                yield page

    async def _placed(self, repository: str) -> tuple[RegistryClient, str]:
        if self._is_server is None:
            async with self._one:
                self._is_server = await self._answers_as_server()
        return self._shelves.placed(repository) if self._is_server else (self._own, repository)

    def _whole(self, key: str) -> RegistryClient:
        """Return a client that asks for whole listings of a key, or of the one whose address this is."""
        base = self._base(key) if self._is_server else f"{self._session.connection.host}/v2/"
        return RegistryClient(self._session, base, pages=False)

    def _base(self, key: str) -> str:
        return f"{self._root}/api/docker/{key}/v2/"

    @property
    def _per_page(self) -> int:
        return min(10_000, self._session.connection.page_size * _ITEMS_PER_ENTRY)


def _stored(repository: _Repository) -> str:
    """Return the key under which a repository's content is stored."""
    return f"{repository.key}-cache" if repository.type.upper() == "REMOTE" else repository.key


def _question(key: str, offset: int, limit: int) -> str:
    """Return the AQL for the manifests behind a key's tags; members of indexes lie under `sha256:…` and are none."""
    names: list[dict[str, object]] = [{"name": "manifest.json"}, {"name": _LIST}]
    left_out: list[dict[str, object]] = [
        {"path": {"$nmatch": pattern}} for pattern in ("*/sha256:*", "*/sha256__*", "*_uploads*")
    ]
    wanted = json.dumps({"repo": key, "$or": names, "$and": left_out})
    fields = '"repo","path","name","sha256","modified"'
    order = '{"$asc":["path","name"]}'
    return f"items.find({wanted}).include({fields}).sort({order}).offset({offset}).limit({limit})"


def _listings(host: str, key: str, items: dict[tuple[str, str], _Item]) -> tuple[Listing, ...]:
    """Return the images. A tag's folder may hold the file of an image beside that of an index, which is the tag's.

    Raises BadName.
    """
    images: dict[str, dict[str, FoundTag]] = {}
    for item in sorted(items.values(), key=lambda item: item.name == _LIST):
        image, _, tag = item.path.rpartition("/")
        if not image:
            continue  # a file that somebody put there, no tag's folder
        check_names(host, (image, tag))
        images.setdefault(image, {})[tag] = FoundTag(
            name=tag, digest=_digest(item.sha256), created=moment(item.modified)
        )
    return tuple(Listing(f"{key}/{image}", tuple(tags.values())) for image, tags in images.items())


def _digest(sha256: str | None) -> Digest | None:
    try:
        return Digest(f"sha256:{sha256}")
    except PermanentError:
        return None
