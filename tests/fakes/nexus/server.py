"""Contract servers of Sonatype Nexus Repository, of two generations.

Source: Sonatype, REST and Integration API; notes of experiments on Nexus 3.71 OSS and 3.96 CE: pages of 10 without
architecture and of 100 with it; guests get an empty list from the older and 401 from the newer; more than three failed
sign-ins lock a name out; the older's Link lacks the repository's path; a group shows its members' components again.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from yarl import URL

from shared.oci.digest import Digest
from tests.fakes.product.desk import KIND, Desk, serving
from tests.fakes.product.guards import PASSWORD, USERNAME, basic_pair
from tests.fakes.product.registry_v2 import RegistryV2, V2Rules
from tests.fakes.product.server import OpensServer, ProductServer, Tells
from tests.support.generator import Estate
from tests.support.generator_content import Made

SHELVES = {"docker-hosted": "hosted", "docker-team": "hosted", "docker-proxy": "proxy"}
GROUP = "docker-all"
FAILURES_ALLOWED = 3
UPLOADED = "2026-01-02T03:04:05.678+00:00"


def shelf_of(repository: str) -> str:
    """The docker repository that keeps this one of the estate."""
    return tuple(SHELVES)[sum(repository.encode()) % len(SHELVES)]


def nexus_name(repository: str) -> str:
    return f"{shelf_of(repository)}/{repository}"


@dataclass
class Nexus:
    """new: the newer generation.  hidden: shelves that the account may not browse.  settings: whether it may read those
    of a group.  components: whether it may list components.
    """

    estate: Estate
    new: bool = True
    hidden: frozenset[str] = frozenset()
    settings: bool = False
    components: bool = True
    desk: Desk = field(default_factory=Desk)
    failures: int = 0

    def __post_init__(self) -> None:
        version = "3.96.3-01 (COMMUNITY)" if self.new else "3.71.0-06 (OSS)"
        self.desk.headers["Server"] = f"Nexus/{version}"

    def routes(self) -> list[web.RouteDef]:
        api = "/service/rest/v1"
        return [
            web.get(f"{api}/repositories", self._repositories),
            web.get(f"{api}/repositories/docker/group/{{name}}", self._group),
            web.get(f"{api}/components", self._components),
            web.get("/v2/", self._no_v2),
            *(route for shelf in SHELVES for route in self._v2(shelf).routes()),
        ]

    def tags(self, shelf: str) -> Mapping[str, Mapping[str, Digest]]:
        """The images of a shelf, or of the whole group."""
        held = self.estate.repositories.items()
        return {name: tags for name, tags in held if shelf in (GROUP, shelf_of(name))}

    def _v2(self, shelf: str) -> RegistryV2:
        def link(path: str, query: dict[str, str]) -> str:
            return str(URL(f"/v2/{path}").with_query(query))

        return RegistryV2(
            self.estate,
            self.desk,
            f"/repository/{shelf}/v2",
            tags=lambda: self.tags(shelf),
            full_name=lambda name: f"{shelf}/{name}",
            guard=self.guard,
            rules=V2Rules(link=None if self.new else link),
        )

    def guard(self, request: web.Request, scope: str) -> web.Response | None:
        """Basic everywhere; more than three failures lock the account, even for the right password."""
        pair = basic_pair(request)
        if pair and self.failures > FAILURES_ALLOWED:
            return web.Response(status=429, text="Too many authentication attempts", headers={"Retry-After": "30"})
        if pair == (USERNAME, PASSWORD):
            return None
        self.failures += pair is not None
        return web.Response(status=401, headers={"WWW-Authenticate": 'BASIC realm="Sonatype Nexus Repository Manager"'})

    async def _no_v2(self, request: web.Request) -> web.Response:
        request[KIND] = "challenge"
        return web.Response(status=404, text="<html>Not Found</html>", content_type="text/html")

    async def _repositories(self, request: web.Request) -> web.Response:
        if not self.new and basic_pair(request) is None:
            return web.json_response([])
        if refusal := self.guard(request, ""):
            return refusal
        shown = {**SHELVES, GROUP: "group"}
        docker = [
            {"name": name, "format": "docker", "type": kind, "url": f"http://{request.host}/repository/{name}"}
            for name, kind in shown.items()
            if name not in self.hidden
        ]
        return web.json_response([{"name": "maven-central", "format": "maven2", "type": "proxy"}, *docker])

    async def _group(self, request: web.Request) -> web.Response:
        if refusal := self.guard(request, ""):
            return refusal
        if not self.settings or request.match_info["name"] != GROUP:
            return web.Response(status=403)
        return web.json_response({"name": GROUP, "online": True, "group": {"memberNames": list(SHELVES)}})

    async def _components(self, request: web.Request) -> web.Response:
        if refusal := self.guard(request, ""):
            return refusal
        shelf = request.query.get("repository", "")
        if request.query.keys() - {"repository", "continuationToken"} or not shelf:
            return web.Response(status=400)
        if shelf not in (*SHELVES, GROUP):
            return web.Response(status=404)
        if any(self._is_in(shelf, name) for name in self.desk.broken):
            return web.Response(status=500)
        if not self.components or any(self._is_in(shelf, name) for name in self.desk.forbidden):
            return web.Response(status=403)
        return self._page(request, shelf)

    def _is_in(self, shelf: str, name: str) -> bool:
        return shelf in (GROUP, name.partition("/")[0])

    def _page(self, request: web.Request, shelf: str) -> web.Response:
        token = request.query.get("continuationToken", "token-0")
        if not token.removeprefix("token-").isdigit():
            return web.Response(status=406)
        start, size = int(token.removeprefix("token-")), 100 if self.new else 10
        # Not by image: components come as the database has them.
        every = sorted(
            ((image, tag, digest) for image, tags in self.tags(shelf).items() for tag, digest in tags.items()),
            key=lambda component: component[1],
        )
        items = [self._component(shelf, *component) for component in every[start : start + size]]
        more = f"token-{start + size}" if len(every) > start + size else None
        return web.json_response({"items": items, "continuationToken": more})

    def _component(self, shelf: str, image: str, tag: str, digest: Digest) -> dict[str, Any]:
        made = self.estate.manifests[digest]
        asset = {
            "path": f"/v2/{image}/manifests/{tag}",
            "repository": shelf,
            "format": "docker",
            "checksum": {"sha1": "0" * 40, "sha256": digest.hex},
            "contentType": made.media_type,
            "lastModified": UPLOADED,
            "fileSize": len(made.body),
        }
        if self.new:
            asset["docker"] = {"content_digest": digest, **_told(self.estate, made)}
        return {
            "id": f"{image}:{tag}",
            "repository": shelf,
            "format": "docker",
            "group": None,
            "name": image,
            "version": tag,
            "assets": [asset],
        }


def _told(estate: Estate, made: Made) -> dict[str, Any]:
    """What the newer generation tells: of an index, one of its platforms."""
    shown = estate.manifests[made.children[0].digest] if made.children else made
    if shown.platform is None:
        return {}
    created = shown.created.isoformat() if shown.created else None
    return {"os": shown.platform.os, "architecture": shown.platform.architecture, "created": created}


@asynccontextmanager
async def nexus_server(estate: Estate, new: bool = True, **settings: Any) -> AsyncIterator[ProductServer]:
    """Serve the estate from three docker repositories and a group of all three."""
    nexus = Nexus(estate, new, **settings)
    async with serving(nexus.desk, nexus.routes()) as url:
        tells = Tells(platform=True, created=True) if new else Tells()
        yield ProductServer(url, nexus.desk, estate, {"type": "nexus"}, name_of=nexus_name, tells=tells)


@asynccontextmanager
async def old_nexus_server(estate: Estate) -> AsyncIterator[ProductServer]:
    """The older generation."""
    async with nexus_server(estate, new=False) as server:
        yield server


@asynccontextmanager
async def connector_server(estate: Estate) -> AsyncIterator[ProductServer]:
    """One docker repository at a port of its own: nothing but Registry V2 answers there."""
    nexus = Nexus(estate)
    v2 = RegistryV2(estate, nexus.desk, guard=nexus.guard)

    async def nothing(request: web.Request) -> web.Response:
        return web.Response(status=404)

    async with serving(nexus.desk, [*v2.routes(), web.get("/service/{path:.*}", nothing)]) as url:
        yield ProductServer(url, nexus.desk, estate, {"type": "nexus"})


SERVERS: dict[str, OpensServer] = {
    "nexus": nexus_server,
    "nexus_old": old_nexus_server,
    "nexus_connector": connector_server,
}
