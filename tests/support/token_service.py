"""A token service for Bearer authentication, as registries ask for it: Basic in, a signed token out.

Source: Distribution, "Token Authentication Specification" and its JSON Web Token form.
"""

import asyncio
import base64
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.support.certificates import Certificate, make_authority

ISSUER: Final = "tallyman-tests"
SERVICE: Final = "registry.test"

# Distribution forgives a token 60 seconds past its end.
_LONG_EXPIRED_SECONDS: Final = 3600


@dataclass(frozen=True)
class TokenRequest:
    """A request as the service saw it. granted: whether name and password were right."""

    scopes: tuple[str, ...]
    username: str | None
    granted: bool


@dataclass
class TokenService:
    """Serves `realm` from a thread of its own, so that a test that blocks its event loop still gets tokens.

    users: name to password.  lifetime_seconds: of tokens made from now on.  refused_scopes: left out of tokens,
    with status 200, as real services do.  fields: the names the answer gives the token under.
    tells_lifetime: whether the answer has `expires_in`.  requests: all so far, in order.
    """

    folder: Path
    users: dict[str, str]
    lifetime_seconds: int = 300
    refused_scopes: set[str] = field(default_factory=set)
    fields: tuple[str, ...] = ("token",)
    tells_lifetime: bool = True
    requests: list[TokenRequest] = field(default_factory=list)
    realm: str = ""
    signer: Certificate = field(init=False)

    def __post_init__(self) -> None:
        self.signer = make_authority(self.folder, "Tallyman tests' token service")
        self._dead = 0
        self._serials = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    def start(self) -> None:
        """Listen on a free port of the loopback address; `realm` is set when this returns."""
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("The token service did not start within 10 seconds.")

    def stop(self) -> None:
        """Stop listening."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    def expire_next(self, count: int) -> None:
        """Make the next `count` tokens expired from the start, whatever `expires_in` promises."""
        self._dead = count

    def issue(self, *scopes: str, username: str = "", expired: bool = False) -> str:
        """Return a token for these scopes (`repository:a/b:pull,push`), as the answer to a right password."""
        now = int(time.time()) - (_LONG_EXPIRED_SECONDS if expired else 0)
        claims = {
            "iss": ISSUER,
            "aud": SERVICE,
            "sub": username,
            "iat": now,
            "nbf": now - 10,
            "exp": now + self.lifetime_seconds,
            "jti": str(next(self._serials)),
            "access": [_access(scope) for scope in scopes if scope not in self.refused_scopes],
        }
        return _signed(claims, self.signer)

    async def _serve(self) -> None:
        application = web.Application()
        application.router.add_get("/token", self._answer)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.realm = f"http://127.0.0.1:{runner.addresses[0][1]}/token"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        scopes = tuple(itertools.chain.from_iterable(scope.split() for scope in request.query.getall("scope", [])))
        username, granted = self._identify(request)
        self.requests.append(TokenRequest(scopes, username, granted))
        if not granted:
            errors = {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}
            return web.json_response(errors, status=401, headers={"WWW-Authenticate": 'Basic realm="tokens"'})
        expired, self._dead = self._dead > 0, max(0, self._dead - 1)
        token = self.issue(*scopes, username=username or "", expired=expired)
        lifetime = {"expires_in": self.lifetime_seconds} if self.tells_lifetime else {}
        return web.json_response(dict.fromkeys(self.fields, token) | lifetime)

    def _identify(self, request: web.Request) -> tuple[str | None, bool]:
        """Return the user name, if any was told, and whether the password is the right one."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None, False
        username, _, password = base64.b64decode(encoded).decode().partition(":")
        return username, self.users.get(username) == password


def _access(scope: str) -> dict[str, Any]:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _signed(claims: dict[str, Any], signer: Certificate) -> str:
    """Return a compact JWS, ES256, that carries the signer's certificate (`x5c`)."""
    certificate = signer.certificate.public_bytes(serialization.Encoding.DER)
    header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(certificate).decode()]}
    signing_input = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    r, s = decode_dss_signature(signer.key.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signing_input}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")
