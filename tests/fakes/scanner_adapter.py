"""A scanner adapter of Harbor's kind: takes what the specification allows, and refuses what it does not know.

Source: pluggable-scanner-spec, scanner-adapter-openapi v1.2: paths, media types, schemas ScanRequest, Registry,
Artifact; statuses 202, 400, 422, 501. Unknown fields are refused, which the specification leaves open.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from tests.support.web import serving

_REQUESTS: Final = {f"application/vnd.scanner.adapter.scan.request+json; version=1.{minor}" for minor in (0, 1)}
_RESPONSE: Final = "application/vnd.scanner.adapter.scan.response+json; version=1.0"
_ERROR: Final = "application/vnd.scanner.adapter.error+json; version=1.0"
_CONSUMED: Final = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}
_FIELDS: Final = {
    "registry": {"url": True, "authorization": False},
    "artifact": {"repository": True, "digest": True, "mime_type": True, "tag": False},
}


@dataclass
class ScannerAdapter:
    """A running adapter.

    url: up to before /api/v1.  accepted: scan requests it took.  refused: (status, why).  busy: answers 503 so many
    times first.  token: wanted as a Bearer token, where it is set.
    """

    url: str = ""
    accepted: list[dict[str, Any]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    busy: int = 0
    token: str | None = None

    async def scan(self, request: web.Request) -> web.Response:
        """Answer `POST /api/v1/scan`."""
        if self.busy:
            self.busy -= 1
            return self._refuse(503, "busy")
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return self._refuse(401, "who are you")
        if request.headers.get("Content-Type") not in _REQUESTS:
            return self._refuse(400, f"content type {request.headers.get('Content-Type')}")
        if request.headers.get("Accept") != _RESPONSE:
            return self._refuse(400, f"accept {request.headers.get('Accept')}")
        try:
            told = await request.json()
        except ValueError:
            return self._refuse(400, "no JSON")
        if why := _wrong(told):
            return self._refuse(422, why)
        if told["artifact"]["mime_type"] not in _CONSUMED:
            return self._refuse(501, f"cannot scan {told['artifact']['mime_type']}")
        self.accepted.append(told)
        return _answer(202, _RESPONSE, {"id": str(uuid4())})

    def _refuse(self, status: int, why: str) -> web.Response:
        self.refused.append((status, why))
        return _answer(status, _ERROR, {"error": {"message": why}})


def _answer(status: int, kind: str, told: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=json.dumps(told).encode(), headers={"Content-Type": kind})


def _wrong(told: Any) -> str:
    if not isinstance(told, dict) or told.keys() != _FIELDS.keys():
        return "registry and artifact are needed, and nothing else is known"
    for part, fields in _FIELDS.items():
        given = told[part]
        if not isinstance(given, dict) or not all(isinstance(value, str) and value for value in given.values()):
            return f"{part}: texts are needed"
        if given.keys() - fields.keys() or {name for name, needed in fields.items() if needed} - given.keys():
            return f"{part}: fields {sorted(given)}"
    if not re.fullmatch(r"https?://[^\s]+", told["registry"]["url"]):
        return "registry.url is no address"
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", told["artifact"]["digest"]):
        return "artifact.digest is no digest"
    shown = told["registry"].get("authorization")
    return "" if shown is None or re.fullmatch(r"Basic [A-Za-z0-9+/=]+", shown) else "registry.authorization"


@asynccontextmanager
async def scanner_adapter(**told: Any) -> AsyncIterator[ScannerAdapter]:
    """Run an adapter until the block ends; any other path is a 404."""
    adapter = ScannerAdapter(**told)
    async with serving([web.post("/api/v1/scan", adapter.scan)]) as adapter.url:
        yield adapter
