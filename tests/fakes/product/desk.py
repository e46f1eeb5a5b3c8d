"""The desk of a contract server: every request is counted, faults are done as told, unknown paths refused loudly."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.web import serving as web_serving

UNKNOWN = 599
KIND = web.RequestKey("kind", str)
"""Where a handler notes the kind of its request: `request[KIND] = "tags"`."""
KINDS = ("catalog", "tags", "manifest", "unchanged", "head", "config", "token", "api", "challenge", "unknown")
"""Kinds of requests: `manifest` and `config` answer with a body, `unchanged` with 304, `head` without one; `api`: of
the product's own; `challenge`: answered 401, or the V2 root."""


@dataclass(frozen=True)
class Asked:
    """A request and what it came to.  path: as sent, with its query.  signed: it showed a user name and a password."""

    method: str
    path: str
    kind: str
    status: int
    agent: str
    signed: bool = False


@dataclass
class Desk:
    """What a test asks of a server, and what it told.

    forbidden: repositories (in Tallyman's names) that this account may not read.  broken: those that answer 500.
    limited: so many of the next requests get 429.  headers: that every answer has.
    """

    asked: list[Asked] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    limited: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def counts(self) -> Counter[str]:
        """The requests since the start or the last `reset`, by kind."""
        return Counter(asked.kind for asked in self.asked)

    def reset(self) -> None:
        self.asked.clear()

    def trouble(self, repository: str) -> web.Response | None:
        """The answer of a repository that a test broke or forbade, in Registry V2's words."""
        if repository in self.broken:
            return error(500, "UNKNOWN")
        if repository in self.forbidden:
            return error(403, "DENIED")
        return None

    @web.middleware
    async def count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Count the request under the kind that its handler noted."""
        if self.limited > 0:
            self.limited -= 1
            answer: web.StreamResponse = web.Response(status=429, headers={"Retry-After": "0"})
        else:
            answer = await handler(request)
        answer.headers.update(self.headers)
        kind = "challenge" if answer.status == 401 else request.get(KIND, "api")
        if kind == "manifest" and answer.status == 304:
            kind = "unchanged"
        agent = request.headers.get("User-Agent", "")
        signed = request.headers.get("Authorization", "").lower().startswith("basic ")
        self.asked.append(Asked(request.method, request.raw_path, kind, answer.status, agent, signed))
        return answer


def error(status: int, code: str, headers: dict[str, str] | None = None) -> web.Response:
    """Registry V2's error JSON."""
    document = {"errors": [{"code": code, "message": "told by the contract server", "detail": None}]}
    return web.json_response(document, status=status, headers=headers)


async def _refuse(request: web.Request) -> web.Response:
    request[KIND] = "unknown"
    return web.Response(status=UNKNOWN, text=f"the contract server does not know {request.method} {request.raw_path}")


@asynccontextmanager
async def serving(desk: Desk, routes: Iterable[web.RouteDef]) -> AsyncIterator[str]:
    """Serve these routes on loopback; yield `http://127.0.0.1:PORT`. At the end no unknown path may have been asked."""
    async with web_serving([*routes, web.route("*", "/{path:.*}", _refuse)], desk.count) as address:
        yield address
        unknown = [asked for asked in desk.asked if asked.kind == "unknown"]
        assert not unknown, f"asked what the product does not know: {unknown[:3]}"
