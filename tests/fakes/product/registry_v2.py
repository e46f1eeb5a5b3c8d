"""Registry V2 over some repositories of an estate, strict where clients are careless.

Source: OCI distribution-spec; Distribution, registry/handlers (catalog.go, tags.go, manifests.go).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha1
from typing import Literal

from aiohttp import web
from yarl import URL

from shared.oci.digest import Digest
from tests.fakes.product.desk import KIND, Desk, error
from tests.fakes.product.guards import Guard, anybody
from tests.support.generator import Estate
from tests.support.generator_content import KINDS

V2_KINDS = tuple(kind for kind in KINDS if kind != "schema 1 image")
"""What contract servers are filled with: today's products take no schema 1."""

Tags = Mapping[str, Mapping[str, Digest]]


@dataclass(frozen=True)
class V2Rules:
    """How one product's V2 differs.

    catalog: whether there is one, and its scope.  most_names: a larger n is refused with PAGINATION_NUMBER_INVALID.
    most_tags: a larger n is cut down to it.  without_n: entries on a page where no n is given; 0 = all.
    empty: what a repository without tags answers.  unknown_last: what a cursor whose entry is gone answers.
    conditional: whether If-None-Match is honoured, and the entity tag is the digest.
    digest_header: what tells the digest, "" = nothing does.
    offsets: `last` is the number of entries before the page.
    link: makes the Link header's target, from the path below the base and the query.
    """

    catalog: bool = True
    most_names: int | None = 1000
    most_tags: int = 1000
    without_n: int = 100
    empty: Literal["404", "[]", "null"] = "404"
    unknown_last: Literal["goes on", "400"] = "goes on"
    conditional: bool = True
    heads: bool = True
    digest_header: str = "Docker-Content-Digest"
    offsets: bool = False
    link: Callable[[str, dict[str, str]], str] | None = None


class RegistryV2:
    """One V2 below `prefix` (up to and with `/v2`).

    tags: repository (as this V2 names it) -> tag -> digest, read anew at each request.
    full_name: this V2's name of a repository -> Tallyman's, by which the desk's faults go.
    pulled: told of every manifest that goes out with a body, which products count as a pull.
    """

    def __init__(
        self,
        estate: Estate,
        desk: Desk,
        prefix: str = "/v2",
        *,
        tags: Callable[[], Tags] | None = None,
        full_name: Callable[[str], str] = lambda name: name,
        guard: Guard = anybody,
        pulled: Callable[[str], None] = lambda what: None,
        rules: V2Rules = V2Rules(),  # frozen
    ) -> None:
        self._estate = estate
        self._desk = desk
        self._prefix = prefix
        self._tags = tags or (lambda: estate.repositories)
        self._full_name = full_name
        self._guard = guard
        self._rules = rules
        self._pulled = pulled

    def routes(self) -> list[web.RouteDef]:
        """The routes, most specific first."""
        prefix = self._prefix
        return [
            web.get(f"{prefix}/", self._root),
            web.get(f"{prefix}/_catalog", self._catalog),
            web.get(f"{prefix}/{{name:.+}}/tags/list", self._list),
            web.route("*", f"{prefix}/{{name:.+}}/manifests/{{reference}}", self._manifest),
            web.get(f"{prefix}/{{name:.+}}/blobs/{{digest}}", self._blob),
        ]

    async def _root(self, request: web.Request) -> web.Response:
        request[KIND] = "challenge"
        return self._guard(request, "") or web.json_response({})

    async def _catalog(self, request: web.Request) -> web.Response:
        request[KIND] = "catalog"
        if refusal := self._guard(request, "registry:catalog:*"):
            return refusal
        if not self._rules.catalog:
            return error(404, "NAME_UNKNOWN")
        most = self._rules.most_names
        if most and int(request.query.get("n", 1)) > most:
            return error(400, "PAGINATION_NUMBER_INVALID")
        return self._page(request, "_catalog", "repositories", sorted(self._tags()), {})

    async def _list(self, request: web.Request) -> web.Response:
        request[KIND] = "tags"
        name = request.match_info["name"]
        if refusal := self._refusal(request, name):
            return refusal
        tags = sorted(self._tags()[name])
        if not tags and self._rules.empty == "404":
            return error(404, "NAME_UNKNOWN")
        if not tags:
            return web.json_response({"name": name, "tags": [] if self._rules.empty == "[]" else None})
        return self._page(request, f"{name}/tags/list", "tags", tags, {"name": name})

    async def _manifest(self, request: web.Request) -> web.Response:
        request[KIND] = "head" if request.method == "HEAD" else "manifest"
        name, reference = request.match_info["name"], request.match_info["reference"]
        if request.method not in ("GET", "HEAD") or (request.method == "HEAD" and not self._rules.heads):
            return error(405, "UNSUPPORTED")
        if refusal := self._refusal(request, name):
            return refusal
        digest = self._tags()[name].get(reference) or reference
        made = self._estate.manifests.get(Digest(digest)) if digest.startswith("sha256:") else None
        if made is None or made.media_type not in request.headers.get("Accept", ""):
            return error(404, "MANIFEST_UNKNOWN")
        headers = {"ETag": f'"{digest if self._rules.conditional else sha1(made.body).hexdigest()}"'}
        if self._rules.digest_header:
            headers[self._rules.digest_header] = digest.removeprefix(
                "" if self._rules.digest_header.startswith("Docker") else "sha256:"
            )
        if self._rules.conditional and request.headers.get("If-None-Match", "").strip('"') == digest:
            return web.Response(status=304)
        if request.method == "GET":
            self._pulled(f"{name}@{digest}")
        return web.Response(body=made.body, content_type=made.media_type, headers=headers)

    async def _blob(self, request: web.Request) -> web.Response:
        request[KIND] = "config"
        if refusal := self._refusal(request, request.match_info["name"]):
            return refusal
        body = self._estate.contents.blobs.get(Digest(request.match_info["digest"]))
        if body is None:
            return error(404, "BLOB_UNKNOWN")
        return web.Response(body=body, content_type="application/octet-stream")

    def _refusal(self, request: web.Request, name: str) -> web.Response | None:
        refusal = self._guard(request, f"repository:{name}:pull") or self._desk.trouble(self._full_name(name))
        if refusal is None and name not in self._tags():
            return error(404, "NAME_UNKNOWN")
        return refusal

    def _page(
        self, request: web.Request, path: str, field: str, entries: list[str], more: dict[str, str]
    ) -> web.Response:
        last = request.query.get("last")
        if last is not None and last not in entries and self._rules.unknown_last == "400":
            return error(400, "UNKNOWN")
        start = int(last or 0) if self._rules.offsets else 0
        left = entries[start:] if self._rules.offsets else [e for e in entries if last is None or e > last]
        size = int(request.query.get("n", self._rules.without_n)) or len(left)
        if field == "tags":
            size = min(size, self._rules.most_tags)
        page = left[:size]
        headers = {}
        if len(left) > size:
            query = {"last": str(start + size) if self._rules.offsets else page[-1], "n": str(size)}
            target = self._rules.link(path, query) if self._rules.link else self._target(path, query)
            headers["Link"] = f'<{target}>; rel="next"'
        return web.json_response({**more, field: page}, headers=headers)

    def _target(self, path: str, query: dict[str, str]) -> str:
        return str(URL(f"{self._prefix}/{path}").with_query(query))
