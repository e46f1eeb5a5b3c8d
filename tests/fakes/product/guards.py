"""Who may ask: a guard returns the refusal of a request, or None where it may pass."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex

from aiohttp import web

from tests.fakes.product.desk import KIND, error

Guard = Callable[[web.Request, str], web.Response | None]
"""(request, scope it needs) -> refusal, None = welcome."""

USERNAME, PASSWORD = "reader", "correct horse"


def basic_pair(request: web.Request) -> tuple[str, str] | None:
    """User name and password of a Basic header."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    username, _, password = base64.b64decode(encoded).decode().partition(":")
    return username, password


def bearer(request: web.Request) -> str | None:
    """The token of a Bearer header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def anybody(request: web.Request, scope: str) -> web.Response | None:
    """Everybody is welcome."""
    return None


def basic(realm: str) -> Guard:
    """USERNAME and PASSWORD by Basic, else a Basic challenge."""

    def guard(request: web.Request, scope: str) -> web.Response | None:
        if basic_pair(request) == (USERNAME, PASSWORD):
            return None
        return error(401, "UNAUTHORIZED", {"WWW-Authenticate": f'Basic realm="{realm}"'})

    return guard


@dataclass
class TokenDesk:
    """A token service, and the guard of what its tokens open.

    path: where on the server it answers.  service: its name.  lifetime_seconds: longer than a test takes.
    grants: (user name or None for a guest, scope) -> whether the token is good for that scope. As real services do, a
    token is issued all the same.  wrong_is_guest: a wrong password is not refused, but gets a guest's token.
    """

    path: str
    service: str
    grants: Callable[[str | None, str], bool] = lambda username, scope: username is not None
    users: Mapping[str, str] = field(default_factory=lambda: {USERNAME: PASSWORD})
    lifetime_seconds: int = 3600
    wrong_is_guest: bool = False
    tokens: dict[str, tuple[str | None, frozenset[str]]] = field(default_factory=dict)

    def expire(self) -> None:
        """Make every token issued so far worthless."""
        self.tokens.clear()

    def guard(self, request: web.Request, scope: str) -> web.Response | None:
        """Let tokens of the scope pass; challenge the others."""
        known = self.tokens.get(bearer(request) or "")
        if known and (not scope or (scope in known[1] and self.grants(known[0], scope))):
            return None
        realm = f"http://{request.host}{self.path}"
        challenge = f'Bearer realm="{realm}",service="{self.service}"' + (f',scope="{scope}"' if scope else "")
        if known:
            challenge += ',error="insufficient_scope"'
        return error(401, "UNAUTHORIZED", {"WWW-Authenticate": challenge})

    async def issue(self, request: web.Request) -> web.Response:
        """Answer the token service's one address."""
        request[KIND] = "token"
        pair = basic_pair(request)
        if pair and self.users.get(pair[0]) != pair[1]:
            if self.wrong_is_guest:
                pair = None
            else:
                return error(401, "UNAUTHORIZED", {"WWW-Authenticate": 'Basic realm="tokens"'})
        scopes = frozenset(part for scope in request.query.getall("scope", []) for part in scope.split())
        token = token_hex(16)
        self.tokens[token] = (pair[0] if pair else None, scopes)
        return web.json_response({"token": token, "expires_in": self.lifetime_seconds})

    def route(self) -> web.RouteDef:
        return web.get(self.path, self.issue)
