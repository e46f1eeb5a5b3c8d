"""Contract servers of JFrog Artifactory.

Source: JFrog, Artifactory REST APIs (Get Repositories; Docker: list repositories needs a privileged user), Artifactory
Query Language; reports of a Link without the key's path and of a numeric `last`; reports that the digest header is
missing and X-Checksum-Sha256 is there.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from yarl import URL

from shared.oci.digest import Digest
from shared.oci.media_types import INDEXES
from tests.fakes.artifactory.aql import Question, Refused
from tests.fakes.product.desk import KIND, Desk, serving
from tests.fakes.product.guards import PASSWORD, USERNAME, basic_pair, bearer
from tests.fakes.product.registry_v2 import RegistryV2, V2Rules
from tests.fakes.product.server import OpensServer, ProductServer
from tests.support.generator import Estate

KEYS = {"docker-local": "LOCAL", "docker-fed": "FEDERATED", "hub": "REMOTE", "docker-all": "VIRTUAL"}
STORED = ("docker-local", "docker-fed", "hub-cache")
MODIFIED = "2026-01-02T03:04:05.678Z"

Link = Callable[[str, dict[str, str]], str]


def key_of(repository: str) -> str:
    """The key that stores this repository of the estate."""
    return STORED[sum(repository.encode()) % len(STORED)]


def artifactory_name(repository: str) -> str:
    return f"{key_of(repository)}/{repository}"


def without_key(path: str, query: dict[str, str]) -> str:
    """The link as older versions give it: the key's path is lost."""
    return str(URL(f"/v2/{path}").with_query(query))


def stuck(path: str, query: dict[str, str]) -> str:
    """A link that leads to the same page for ever."""
    return str(URL(f"/v2/{path}").with_query({**query, "last": "!"}))


@dataclass
class Artifactory:
    """aql: whether the account may ask it.  shown: keys that it sees.  link, offsets: how its V2 pages."""

    estate: Estate
    aql: bool = True
    shown: frozenset[str] = frozenset(KEYS)
    link: Link = without_key
    offsets: bool = False
    desk: Desk = field(default_factory=Desk)

    def __post_init__(self) -> None:
        self.desk.headers.update({"X-Artifactory-Id": "fake", "Server": "Artifactory/7.98.9"})

    def routes(self) -> list[web.RouteDef]:
        root = "/artifactory"
        return [
            web.get("/v2/", self._root),
            web.get(f"{root}/v2/", self._root),
            web.get(f"{root}/api/repositories", self._repositories),
            web.post(f"{root}/api/search/aql", self._aql),
            *(route for key in STORED for route in self.v2(key, f"{root}/api/docker/{key}/v2").routes()),
        ]

    def v2(self, key: str, prefix: str) -> RegistryV2:
        """The Registry V2 of one key, below a path, or at an address of its own."""
        rules = V2Rules(
            conditional=False,
            digest_header="X-Checksum-Sha256",
            without_n=0,
            empty="404",
            link=self.link,
            offsets=self.offsets,
        )
        return RegistryV2(
            self.estate,
            self.desk,
            prefix,
            tags=lambda: self.tags(key),
            full_name=lambda name: f"{key}/{name}",
            guard=self.guard,
            rules=rules,
        )

    def tags(self, key: str) -> Mapping[str, Mapping[str, Digest]]:
        return {name: tags for name, tags in self.estate.repositories.items() if key_of(name) == key}

    def guard(self, request: web.Request, scope: str) -> web.Response | None:
        """Basic, or the password as a Bearer token."""
        if basic_pair(request) == (USERNAME, PASSWORD) or bearer(request) == PASSWORD:
            return None
        return web.json_response(
            {"errors": [{"status": 401, "message": "Bad credentials"}]},
            status=401,
            headers={"WWW-Authenticate": 'Basic realm="Artifactory Realm"'},
        )

    async def _root(self, request: web.Request) -> web.Response:
        request[KIND] = "challenge"
        return self.guard(request, "") or web.json_response({})

    async def _repositories(self, request: web.Request) -> web.Response:
        if refusal := self.guard(request, ""):
            return refusal
        if dict(request.query) != {"packageType": "docker"}:
            return web.Response(status=400)
        host = f"http://{request.host}/artifactory"
        return web.json_response(
            [
                {"key": key, "type": kind, "url": f"{host}/{key}", "packageType": "Docker"}
                for key, kind in KEYS.items()
                if key in self.shown
            ]
        )

    async def _aql(self, request: web.Request) -> web.Response:
        if refusal := self.guard(request, ""):
            return refusal
        if request.content_type != "text/plain" or request.query:
            return web.Response(status=415)
        try:
            question = Question.parse(await request.text())
            key = question.find["repo"]
            if any(name.startswith(f"{key}/") for name in self.desk.broken):
                return web.Response(status=500)
            if not self.aql or any(name.startswith(f"{key}/") for name in self.desk.forbidden):
                return web.Response(status=403)
            return web.json_response(question.answer(self._items(key)))
        except Refused as refused:
            return web.Response(status=400, text=str(refused))

    def _items(self, key: str) -> list[dict[str, Any]]:
        """The files of a key's manifests: a folder for each tag, and one for each member of an index."""
        items = []
        for image, tags in self.tags(key).items():
            for number, (tag, digest) in enumerate(tags.items()):
                items += self._folder(key, image, tag, digest, both=number % 2 == 0)
            items.append(_item(key, f"{image}/_uploads", "manifest.json", Digest.of(b"upload")))
        return items

    def _folder(self, key: str, image: str, tag: str, digest: Digest, *, both: bool) -> list[dict[str, Any]]:
        made = self.estate.manifests[digest]
        if made.media_type not in INDEXES:
            return [_item(key, f"{image}/{tag}", "manifest.json", digest)]
        children = [child.digest for child in made.children]
        items = [_item(key, f"{image}/{tag}", "list.manifest.json", digest)]
        items += [_item(key, f"{image}/sha256:{child.hex}", "manifest.json", child) for child in children]
        if both:
            items.append(_item(key, f"{image}/{tag}", "manifest.json", children[0]))
        return items


def _item(key: str, path: str, name: str, digest: Digest) -> dict[str, Any]:
    times = dict.fromkeys(("created", "modified", "updated"), MODIFIED)
    return {"repo": key, "path": path, "name": name, "sha256": digest.hex, "size": 1, **times}


@asynccontextmanager
async def artifactory_server(estate: Estate, **settings: Any) -> AsyncIterator[ProductServer]:
    """Serve the estate from a local, a federated and a remote key, and a virtual one of all three."""
    artifactory = Artifactory(estate, **settings)
    async with serving(artifactory.desk, artifactory.routes()) as url:
        yield ProductServer(url, artifactory.desk, estate, {"type": "artifactory"}, name_of=artifactory_name)


@asynccontextmanager
async def no_aql_server(estate: Estate) -> AsyncIterator[ProductServer]:
    """A server whose account may not ask AQL."""
    async with artifactory_server(estate, aql=False) as server:
        yield server


@asynccontextmanager
async def subdomain_server(estate: Estate, key: str = "docker-local") -> AsyncIterator[ProductServer]:
    """One key at an address of its own: nothing but Registry V2 answers there."""
    artifactory = Artifactory(estate)

    async def nothing(request: web.Request) -> web.Response:
        return web.Response(status=404)

    routes = [*artifactory.v2(key, "/v2").routes(), web.get("/artifactory/{path:.*}", nothing)]
    async with serving(artifactory.desk, routes) as url:
        yield ProductServer(url, artifactory.desk, estate, {"type": "artifactory"})


SERVERS: dict[str, OpensServer] = {"artifactory": artifactory_server, "artifactory_no_aql": no_aql_server}
