"""Stands before the whole application, WebSockets included: who is not let in never reaches a route.

A plain ASGI class, since Starlette's own middleware base never sees WebSockets.
"""

import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

from services.console.api.problems import problem_bytes
from services.console.doors.principals import Principal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN: Final = frozenset({"/healthz", "/readyz", "/metrics", "/sign-in"})
OPEN_BELOW: Final = ("/static/", "/hooks/")
SIGN_IN: Final = "/sign-in"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WS_REFUSED: Final = 4403

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class KnowsPeople(Protocol):
    """Tells who shows a cookie or a token."""

    def by_cookie(self, cookie: str) -> Principal | None: ...
    def by_token(self, token: str) -> Principal | None: ...


@dataclass(frozen=True)
class Refusal:
    """status, what is wrong, and what to do."""

    status: int
    told: str


class Guard:
    """app: all that is guarded.  hosts: values of Host that are ours, as `127.0.0.1:8321`.  cookie: of the session."""

    def __init__(self, app: App, people: KnowsPeople, hosts: Iterable[str], cookie: str) -> None:
        self._app: Final = app
        self._people: Final = people
        self._hosts: Final = frozenset(host.lower() for host in hosts)
        self._cookie: Final = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        sealed = _with_headers(send, cacheable=scope["path"].startswith("/static/"))
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        found = self._let_in(scope, headers)
        if isinstance(found, Refusal):
            await _refuse(scope, found, headers, receive, sealed)
            return
        scope.setdefault("state", {})["principal"] = found
        await self._app(scope, receive, sealed)

    def _let_in(self, scope: Scope, headers: Mapping[str, str]) -> Principal | Refusal | None:
        """Return who comes in, None at an open door, or why nobody does."""
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return Refusal(421, "This host name is not ours. Use the address that Tallyman printed when it started.")
        is_socket = scope["type"] == "websocket"
        is_unsafe = is_socket or scope["method"] not in _SAFE
        if (is_unsafe or "origin" in headers) and not _same_origin(headers, host):
            return Refusal(403, "This request comes from a page of another site. Open Tallyman's own page instead.")
        if _is_open(scope["path"]):
            return None
        return self._known(headers, is_unsafe=is_unsafe, is_socket=is_socket)

    def _known(self, headers: Mapping[str, str], *, is_unsafe: bool, is_socket: bool) -> Principal | Refusal:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            found = self._people.by_token(token.strip())
            if found is None:
                return Refusal(401, "This token is not known; it may have been taken back.")
            if is_unsafe and not is_socket and not found.may_change:
                return Refusal(403, "This token may only read. Use one that was made with --admin.")
            return found
        found = self._people.by_cookie(_cookie(headers.get("cookie", ""), self._cookie))
        if found is None:
            return Refusal(401, "Sign in first, or show an API token: Authorization: Bearer …")
        if is_unsafe and not is_socket and not hmac.compare_digest(headers.get("x-csrf-token", ""), found.csrf):
            return Refusal(403, "This request lacks the page's own token. Load the page again, and repeat it.")
        return found


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(OPEN_BELOW)


def _same_origin(headers: Mapping[str, str], host: str) -> bool:
    """Return whether a request is of our own pages, or of no page at all. Browsers send Origin, scripts need not."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    try:
        return urlsplit(origin).netloc.lower() == host
    except ValueError:
        return False


def _cookie(header: str, name: str) -> str:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _with_headers(send: Send, *, cacheable: bool) -> Send:
    async def sealed(message: MutableMapping[str, Any]) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            caching = [] if cacheable else [(b"cache-control", b"no-store")]
            ours = [*HEADERS, *caching]
            names = {name for name, _ in ours}
            kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in names]
            message = {**message, "headers": [*kept, *ours]}
        await send(message)

    return sealed


async def _refuse(scope: Scope, refusal: Refusal, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": _WS_REFUSED, "reason": refusal.told[:120]})
        return
    wants_page = "text/html" in headers.get("accept", "") and not scope["path"].startswith("/api/v1/")
    if refusal.status == 401 and wants_page:
        to = f"{SIGN_IN}?to={quote(scope['path'])}" if scope["path"] != "/" else SIGN_IN
        await _answer(send, 303, b"", ((b"location", to.encode()),))
        return
    if refusal.status == 401 and "hx-request" in headers:
        await _answer(send, 401, b"", ((b"hx-redirect", SIGN_IN.encode()),))
        return
    more = ((b"www-authenticate", b'Bearer realm="tallyman"'),) if refusal.status == 401 else ()
    body = problem_bytes(refusal.status, refusal.told)
    await _answer(send, refusal.status, body, ((b"content-type", b"application/problem+json"), *more))


async def _answer(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
