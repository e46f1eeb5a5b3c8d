"""Contract servers of GitLab and its container registry.

Source: GitLab, Groups API, Projects API (offset pages with X-Total and X-Next-Page, keyset pages by id_after),
Container registry API; container-registry, docs/spec/gitlab/api.md (a slash at the end is required, n is at most 1000,
indexes tell their references); the catalog's scope is granted to administrators only; deploy tokens cannot use the API.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aiohttp import web

from shared.oci.digest import Digest
from shared.oci.media_types import DOCKER_CONFIG, DOCKER_MANIFEST, OCI_CONFIG, OCI_MANIFEST
from tests.fakes.gitlab.places import gitlab_name, groups_of, project_of, projects_of
from tests.fakes.product.desk import KIND, Desk, error, serving
from tests.fakes.product.guards import PASSWORD, TokenDesk, bearer
from tests.fakes.product.registry_v2 import RegistryV2, V2Rules
from tests.fakes.product.server import OpensServer, ProductServer, Tells
from tests.support.generator import Estate
from tests.support.generator_content import Made

MOST_TAGS = 1000
MOST_PER_PAGE = 100
PUBLISHED = "2026-01-02T03:04:05.678Z"


@dataclass
class GitLab:
    """admin: of the whole instance.  database: the registry has one, and so its own API.  deploy: the password is a
    deploy token, which the API refuses.  disabled: projects without a registry.
    """

    estate: Estate
    admin: bool = False
    database: bool = True
    deploy: bool = False
    disabled: frozenset[str] = frozenset()
    desk: Desk = field(default_factory=Desk)

    def __post_init__(self) -> None:
        def grants(username: str | None, scope: str) -> bool:
            return username is not None and (self.admin or not scope.startswith("registry:"))

        self.tokens = TokenDesk("/jwt/auth", "container_registry", grants=grants)
        self.desk.headers["Gitlab-Container-Registry-Version"] = "4.15.2-gitlab"

    def routes(self) -> list[web.RouteDef]:
        rules = V2Rules(empty="null" if self.database else "404")
        v2 = RegistryV2(self.estate, self.desk, tags=self.tags, guard=self.tokens.guard, rules=rules)
        return [
            self.tokens.route(),
            web.get("/api/v4/groups", self._groups),
            web.get("/api/v4/groups/{id}/registry/repositories", self._group),
            web.get("/api/v4/projects", self._projects),
            web.get("/api/v4/projects/{id}/registry/repositories", self._project),
            web.get("/gitlab/v1/repositories/{name:.+}/tags/list/", self._tags),
            web.get("/gitlab/v1/repositories/{name:.+}/tags/detail/{tag}/", self._detail),
            *v2.routes(),
        ]

    def tags(self) -> Mapping[str, Mapping[str, Digest]]:
        return {gitlab_name(name): tags for name, tags in self.estate.repositories.items()}

    async def _groups(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request, {"min_access_level", "page", "per_page"})
        return refusal or _page(request, [{"id": n, "full_path": path} for n, path in self._numbered_groups()])

    async def _projects(self, request: web.Request) -> web.Response:
        keyset = {"membership", "min_access_level", "pagination", "order_by", "sort", "id_after", "per_page"}
        if refusal := self._refusal(request, keyset):
            return refusal
        if request.query.get("pagination") != "keyset" or request.query.get("membership") != "true":
            return web.json_response({"error": "this server pages by keyset"}, status=405)
        after, size = int(request.query["id_after"]), int(request.query["per_page"])
        found = [
            {"id": n, "path_with_namespace": path, "container_registry_enabled": path not in self.disabled}
            for n, path in enumerate(projects_of(list(self.tags())), 1)
            if n > after
        ]
        return web.json_response(found[:size])

    async def _group(self, request: web.Request) -> web.Response:
        path = dict(self._numbered_groups()).get(int(request.match_info["id"]))
        return self._repositories(request, f"{path}/" if path else None)

    async def _project(self, request: web.Request) -> web.Response:
        path = dict(enumerate(projects_of(list(self.tags())), 1)).get(int(request.match_info["id"]))
        if path in self.disabled:
            return web.json_response({"message": "403 Forbidden"}, status=403)
        return self._repositories(request, path)

    def _repositories(self, request: web.Request, within: str | None) -> web.Response:
        if refusal := self._refusal(request, {"page", "per_page"}):
            return refusal
        if within is None:
            return web.json_response({"message": "404 Not Found"}, status=404)
        found = [
            {"id": n, "path": path, "location": f"{request.host}/{path}"}
            for n, path in enumerate(sorted(self.tags()), 1)
            if (path.startswith(within) if within.endswith("/") else project_of(path) == within)
            and project_of(path) not in self.disabled
        ]
        return _page(request, found)

    def _numbered_groups(self) -> list[tuple[int, str]]:
        return list(enumerate(groups_of(list(self.tags())), 1))

    def _refusal(self, request: web.Request, known: set[str]) -> web.Response | None:
        if self.deploy or bearer(request) != PASSWORD:
            return web.json_response({"message": "401 Unauthorized"}, status=401)
        if request.query.keys() - known:
            return web.json_response({"error": "the contract server does not know that"}, status=400)
        if not 0 < int(request.query.get("per_page", 20)) <= MOST_PER_PAGE:
            return web.json_response({"error": "per_page does not have a valid value"}, status=400)
        return None

    async def _tags(self, request: web.Request) -> web.Response:
        request[KIND] = "tags"
        name = request.match_info["name"]
        if refusal := self._registry_refusal(request, name):
            return refusal
        size = int(request.query.get("n", 100))
        if not 0 < size <= MOST_TAGS or request.query.keys() - {"n", "last"}:
            return error(400, "INVALID_QUERY_PARAMETER_VALUE")
        tags = self.tags()[name]
        left = [tag for tag in sorted(tags) if tag > request.query.get("last", "")]
        headers = {}
        if len(left) > size:
            target = f"{quote(request.path)}?last={quote(left[size - 1], safe='')}&n={size}"
            headers["Link"] = f'<{target}>; rel="next"'
        told = [
            {
                "name": tag,
                "digest": tags[tag],
                "media_type": self.estate.manifests[tags[tag]].media_type,
                "size_bytes": 1,
                "created_at": PUBLISHED,
                "published_at": PUBLISHED,
            }
            for tag in left[:size]
        ]
        return web.json_response(told, headers=headers)

    async def _detail(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if refusal := self._registry_refusal(request, name):
            return refusal
        digest = self.tags()[name].get(request.match_info["tag"])
        if digest is None:
            return error(404, "TAG_UNKNOWN")
        made = self.estate.manifests[digest]
        manifest: dict[str, Any] = {"digest": digest, "media_type": made.media_type}
        if made.kind == "index":
            manifest["references"] = [_reference(self.estate.manifests[child.digest]) for child in made.children]
        image = {"size_bytes": 1, "manifest": manifest, **({"config": _config(made)} if made.kind != "index" else {})}
        return web.json_response({"repository": name, "name": request.match_info["tag"], "image": image})

    def _registry_refusal(self, request: web.Request, name: str) -> web.Response | None:
        if not self.database:
            return web.Response(status=404, text="404 page not found\n")
        refusal = self.tokens.guard(request, f"repository:{name}:pull") or self.desk.trouble(name)
        if refusal is None and name not in self.tags():
            return error(404, "NAME_UNKNOWN")
        return refusal


def _reference(made: Made) -> dict[str, Any]:
    return {"digest": made.digest, "media_type": made.media_type, "size_bytes": 1, "config": _config(made)}


def _config(made: Made) -> dict[str, Any]:
    """The config of a manifest; of one that is no image the platform is empty."""
    kinds = {DOCKER_MANIFEST: DOCKER_CONFIG, OCI_MANIFEST: OCI_CONFIG}
    image = made.kind == "image" or b"oci.image.config" in made.body
    media_type = kinds[made.media_type] if image else made.artifact_type
    platform = made.platform
    told = {"architecture": platform.architecture, "os": platform.os} if platform else {"architecture": "", "os": ""}
    return {"digest": made.config or Digest.of(b""), "media_type": media_type, "platform": told}


def _page(request: web.Request, entries: list[dict[str, Any]]) -> web.Response:
    number, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 20))
    start = (number - 1) * size
    more = str(number + 1) if start + size < len(entries) else ""
    headers = {"X-Total": str(len(entries)), "X-Next-Page": more, "X-Page": str(number), "X-Per-Page": str(size)}
    return web.json_response(entries[start : start + size], headers=headers)


@asynccontextmanager
async def gitlab_server(estate: Estate, **settings: Any) -> AsyncIterator[ProductServer]:
    """Serve the estate to an account that is no administrator, unless it is told to be one."""
    gitlab = GitLab(estate, **settings)
    async with serving(gitlab.desk, gitlab.routes()) as url:
        yield ProductServer(
            url,
            gitlab.desk,
            estate,
            {"type": "gitlab", "auth_type": "bearer"},
            name_of=gitlab_name,
            expire_tokens=gitlab.tokens.expire,
            tells=Tells(platform=gitlab.database),
        )


@asynccontextmanager
async def plain_gitlab_server(estate: Estate) -> AsyncIterator[ProductServer]:
    """A registry without its database: its own API is not there."""
    async with gitlab_server(estate, database=False) as server:
        yield server


SERVERS: dict[str, OpensServer] = {"gitlab": gitlab_server, "gitlab_plain": plain_gitlab_server}
