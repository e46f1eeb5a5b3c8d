"""A Registry V2 server, read-only, on loopback, as exact as a client of ours needs it.

Source: OCI distribution-spec, Pulling and Content Discovery; catalog and error forms as CNCF Distribution has them.
"""

from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

from aiohttp import web

from shared.oci.digest import Digest
from tallyman.sample.content import sample_content
from tallyman.sample.shelf import Shelf, StoredManifest

_API_VERSION: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}
_CATALOG_PAGE: Final = 100
_LARGEST_PAGE: Final = 1000


@asynccontextmanager
async def sample_registry(port: int = 0) -> AsyncIterator[str]:
    """Serve the sample content while the context lasts; yields the host, `http://127.0.0.1:PORT`.

    port: 0 takes a free one.  Raises OSError where the port is taken.
    """
    runner = web.AppRunner(_application(sample_content()), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _application(content: Mapping[str, Shelf]) -> web.Application:
    sample = _Sample(content)
    application = web.Application()
    application.add_routes(
        [
            web.get("/v2/", sample.ping),
            web.get("/v2/_catalog", sample.catalog),
            web.get("/v2/{name:.+}/tags/list", sample.tags),
            web.get("/v2/{name:.+}/manifests/{reference}", sample.manifest),
            web.get("/v2/{name:.+}/blobs/{digest}", sample.blob),
        ]
    )
    return application


class _Sample:
    """The endpoints; each takes a request and returns its answer."""

    def __init__(self, content: Mapping[str, Shelf]) -> None:
        self._content: Final = content

    async def ping(self, request: web.Request) -> web.Response:
        return web.json_response({}, headers=_API_VERSION)

    async def catalog(self, request: web.Request) -> web.Response:
        size = _page_size(request, _CATALOG_PAGE)
        names, headers = _page(request, sorted(self._content), size)
        return web.json_response({"repositories": names}, headers=headers)

    async def tags(self, request: web.Request) -> web.Response:
        shelf = self._shelf(request)
        size = _page_size(request, len(shelf.tags))
        names, headers = _page(request, sorted(shelf.tags), size)
        return web.json_response({"name": shelf.name, "tags": names}, headers=headers)

    async def manifest(self, request: web.Request) -> web.Response:
        shelf, reference = self._shelf(request), request.match_info["reference"]
        digest = shelf.tags.get(reference, reference)
        stored = next((each for known, each in shelf.manifests.items() if known == digest), None)
        if stored is None or not _accepts(request, stored):
            raise _refusal(404, "MANIFEST_UNKNOWN", "manifest unknown", reference)
        headers = {**_API_VERSION, "Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
        if _has(request, digest):
            return web.Response(status=304, headers=headers)
        return web.Response(body=stored.body, content_type=stored.media_type, headers=headers)

    async def blob(self, request: web.Request) -> web.Response:
        shelf, asked = self._shelf(request), request.match_info["digest"]
        body = next((each for known, each in shelf.blobs.items() if known == asked), None)
        if body is None:
            raise _refusal(404, "BLOB_UNKNOWN", "blob unknown to registry", asked)
        headers = {**_API_VERSION, "Docker-Content-Digest": Digest.of(body)}
        return web.Response(body=body, content_type="application/octet-stream", headers=headers)

    def _shelf(self, request: web.Request) -> Shelf:
        name = request.match_info["name"]
        if name not in self._content:
            raise _refusal(404, "NAME_UNKNOWN", "repository name not known to registry", name)
        return self._content[name]


def _page_size(request: web.Request, default: int) -> int:
    asked = request.query.get("n")
    if asked is None:
        return default
    if not (asked.isascii() and asked.isdecimal() and 0 < int(asked[:9]) <= _LARGEST_PAGE):
        raise _refusal(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested", asked)
    return int(asked)


def _page(request: web.Request, names: Sequence[str], size: int) -> tuple[Sequence[str], Mapping[str, str]]:
    """The names after `last`, at most `size`, and the headers that lead to the next page, if there is one."""
    start = bisect_right(names, request.query["last"]) if "last" in request.query else 0
    page = names[start : start + size]
    if start + size >= len(names):
        return page, _API_VERSION
    following = f"{request.rel_url.raw_path}?last={quote(page[-1], safe='')}&n={size}"
    return page, {**_API_VERSION, "Link": f'<{following}>; rel="next"'}


def _accepts(request: web.Request, stored: StoredManifest) -> bool:
    accepted = {
        part.partition(";")[0].strip() for line in request.headers.getall("Accept", ["*/*"]) for part in line.split(",")
    }
    return not accepted.isdisjoint({stored.media_type, "application/*", "*/*"})


def _has(request: web.Request, digest: str) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in request.headers.get("If-None-Match", "").split(",")}
    return digest in tags


def _refusal(status: int, code: str, message: str, detail: str) -> web.HTTPException:
    """The error as registries tell it: JSON with a code."""
    answer = {"errors": [{"code": code, "message": message, "detail": detail}]}
    kind = {400: web.HTTPBadRequest, 404: web.HTTPNotFound}[status]
    return kind(text=web.json_response(answer).text, content_type="application/json", headers=_API_VERSION)
