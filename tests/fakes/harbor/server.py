"""A contract server of Harbor.

Source: Harbor, api/v2.0/swagger.yaml; src/server/registry (an unknown `last` is refused, no `n` gives all, the catalog
wants Basic and the right to it); src/core/service/token (a wrong password gets a guest's token).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from aiohttp import web

from shared.oci.digest import Digest
from tests.fakes.harbor.artifacts import artifacts_of
from tests.fakes.product.desk import KIND, Desk, serving
from tests.fakes.product.guards import PASSWORD, USERNAME, TokenDesk, basic_pair
from tests.fakes.product.registry_v2 import RegistryV2, V2Rules
from tests.fakes.product.server import OpensServer, ProductServer, Tells
from tests.support.generator import Estate

MOST_PER_PAGE = 100
_ARTIFACT_QUERY = {"q", "sort", "page", "page_size", "with_tag", "with_accessory", "with_label", "with_scan_overview"}


def harbor_name(repository: str) -> str:
    """The estate's repository in a project: every one of Harbor's has one."""
    return repository if "/" in repository else f"library/{repository}"


@dataclass
class Harbor:
    """catalog: whether the account may read it.  lists: whether it may list artifacts.

    pulls: manifests that were pulled, which moves their "last pulled".
    """

    estate: Estate
    catalog: bool = False
    lists: bool = True
    desk: Desk = field(default_factory=Desk)
    pulls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = TokenDesk("/service/token", "harbor-registry", wrong_is_guest=True)

    def tags(self) -> Mapping[str, Mapping[str, Digest]]:
        return {harbor_name(name): tags for name, tags in self.estate.repositories.items()}

    def routes(self) -> list[web.RouteDef]:
        rules = V2Rules(most_names=None, without_n=0, empty="[]", unknown_last="400")
        v2 = RegistryV2(
            self.estate, self.desk, tags=self.tags, guard=self._guard, rules=rules, pulled=self.pulls.append
        )
        return [
            self.tokens.route(),
            web.get("/api/v2.0/repositories", self._repositories),
            web.get("/api/v2.0/projects/{project}/repositories/{repository}/artifacts", self._artifacts),
            *v2.routes(),
        ]

    def _guard(self, request: web.Request, scope: str) -> web.Response | None:
        if scope.startswith("registry:"):  # the one path that wants Basic
            if basic_pair(request) == (USERNAME, PASSWORD):
                return None if self.catalog else _error(403, "FORBIDDEN")
            return _error(401, "UNAUTHORIZED", {"WWW-Authenticate": 'Basic realm="harbor"'})
        name = scope.removeprefix("repository:").rpartition(":")[0]
        if name and name not in self.tags():
            return _error(401, "UNAUTHORIZED")  # an unknown repository is not told from a forbidden one
        return self.tokens.guard(request, scope)

    async def _repositories(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request, {"page", "page_size", "sort", "q"}):
            return refusal
        names = sorted(self.tags())
        found = [{"id": number, "name": name, "artifact_count": 1} for number, name in enumerate(names)]
        return _page(request, found)

    async def _artifacts(self, request: web.Request) -> web.Response:
        request[KIND] = "tags"
        if refusal := self._refusal(request, _ARTIFACT_QUERY):
            return refusal
        project, name = request.match_info["project"], unquote(request.match_info["repository"])
        repository = f"{project}/{name}"
        if repository in self.desk.broken:
            return _error(500, "UNKNOWN")
        if not self.lists or repository in self.desk.forbidden:
            return _error(403, "FORBIDDEN")
        tags = self.tags().get(repository)
        if tags is None:
            return _error(404, "NOT_FOUND")
        query = request.query.get("q", "")
        if query not in ("", "base=*"):
            return _error(400, "BAD_REQUEST")
        return _page(request, artifacts_of(self.estate, tags, members=query == "base=*"))

    def _refusal(self, request: web.Request, known: set[str]) -> web.Response | None:
        if basic_pair(request) != (USERNAME, PASSWORD):
            return _error(401, "UNAUTHORIZED")
        if unknown := request.query.keys() - known:
            return _error(422, f"the contract server does not know {unknown}")
        if not 0 < int(request.query.get("page_size", 10)) <= MOST_PER_PAGE:
            return _error(422, "page_size in query should be less than or equal to 100")
        return None


def _page(request: web.Request, entries: list[dict[str, object]]) -> web.Response:
    number, size = int(request.query.get("page", 1)), int(request.query.get("page_size", 10))
    start = (number - 1) * size
    headers = {"X-Total-Count": str(len(entries))}
    if start + size < len(entries):
        query = {**request.query, "page": str(number + 1), "page_size": str(size)}
        target = f"{quote(request.path)}?{'&'.join(f'{name}={quote(value)}' for name, value in query.items())}"
        headers["Link"] = f'<{target}>; rel="next"'
    return web.json_response(entries[start : start + size], headers=headers)


def _error(status: int, code: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(
        {"errors": [{"code": code, "message": "told by the fake"}]}, status=status, headers=headers
    )


@asynccontextmanager
async def harbor_server(estate: Estate, *, catalog: bool = False, lists: bool = True) -> AsyncIterator[ProductServer]:
    """Serve the estate to an account that is no system administrator, unless it may read the catalog."""
    harbor = Harbor(estate, catalog, lists)
    async with serving(harbor.desk, harbor.routes()) as url:
        yield ProductServer(
            url,
            harbor.desk,
            estate,
            {"type": "harbor"},
            name_of=harbor_name,
            expire_tokens=harbor.tokens.expire,
            tells=Tells(platform=True, created=True),
            pulls=harbor.pulls,
        )


SERVERS: dict[str, OpensServer] = {"harbor": harbor_server}
