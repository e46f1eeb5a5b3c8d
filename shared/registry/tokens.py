"""Tokens of a registry's token service: fetched once for all who wait, kept until shortly before they expire."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import httpx

from shared.errors import TallymanError
from shared.registry.answer import SMALL_BYTES, Answer, host_of
from shared.registry.challenges import Challenge
from shared.registry.credentials import Credentials, Verdict
from shared.registry.errors import TokenServiceRefused, forbidden, status_error
from shared.registry.redirects import is_redirect
from shared.registry.sender import Sender
from shared.registry.user_agent import USER_AGENT

_DEFAULT_LIFETIME_SECONDS: Final = 60.0
_LONGEST_LIFETIME_SECONDS: Final = 24 * 3600.0
_KEPT: Final = 1000
"""Tokens kept at once; a registry has one for each repository."""


@dataclass(frozen=True)
class TokenService:
    """Where a registry sends its users for tokens."""

    realm: httpx.URL
    service: str


@dataclass(frozen=True)
class _Token:
    text: str
    expires_at: float


def token_service(registry: httpx.URL, challenge: Challenge) -> TokenService:
    """Return the token service that a challenge of the registry itself names.

    It is shown the password, so: over https on any host (the registry chooses it), over http only on the
    registry's own host and only when the registry itself is http. Raises TokenServiceRefused.
    """
    try:
        realm = httpx.URL(challenge.parameters.get("realm", ""))
    except (httpx.InvalidURL, ValueError) as error:
        raise _refused(host_of(registry), "has an address that cannot be read") from error
    if realm.scheme not in ("http", "https") or not realm.host or realm.userinfo:
        raise _refused(host_of(registry), "has an address that cannot be read")
    if realm.scheme == "http" and not (registry.scheme == "http" and realm.host == registry.host):
        raise _refused(host_of(registry), f"({host_of(realm)}) is asked over http, where anybody can read a password")
    return TokenService(realm, challenge.parameters.get("service", ""))


class Tokens:
    """credentials: None for a guest.  clock: monotonic seconds."""

    def __init__(
        self, sender: Sender, credentials: Credentials | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sender: Final = sender
        self._credentials: Final = credentials
        self._clock: Final = clock
        self._tokens: Final[dict[tuple[TokenService, str], _Token]] = {}
        self._fetching: Final[WeakValueDictionary[tuple[TokenService, str], asyncio.Lock]] = WeakValueDictionary()

    async def get(self, service: TokenService, scope: str, refused: str | None = None) -> str:
        """Return a token for the scope.

        refused: the token that the registry just did not take; another is fetched, once for all who saw that one
        refused. Raises SignInRejected, Forbidden, TokenServiceRefused, or as `Sender.ask`.
        """
        key = (service, scope)
        lock = self._fetching.setdefault(key, asyncio.Lock())
        async with lock:
            known = self._tokens.get(key)
            if known and known.expires_at > self._clock() and known.text != refused:
                return known.text
            token = self._tokens[key] = await self._fetch(service, scope)
            self._forget_old()
            return token.text

    async def _fetch(self, service: TokenService, scope: str) -> _Token:
        asked_at = self._clock()
        parameters = [("service", service.service)] if service.service else []
        parameters += [("scope", part) for part in scope.split()]
        if self._credentials:
            parameters.append(("account", self._credentials.username))
        url = service.realm.copy_merge_params(httpx.QueryParams(tuple(parameters)))

        async def get(authorization: str | None) -> Answer:
            headers = {"User-Agent": USER_AGENT} | ({"Authorization": authorization} if authorization else {})
            return await self._sender.ask("GET", url, headers, SMALL_BYTES, kind="token")

        answer = await (self._credentials.show(get, _judge) if self._credentials else get(None))
        if answer.status != 200:
            raise _error(answer, scope)
        text, lifetime = _read(answer)
        return _Token(text, asked_at + lifetime - min(30.0, lifetime / 10))

    def _forget_old(self) -> None:
        if len(self._tokens) > _KEPT:
            now = self._clock()
            for key in [key for key, token in self._tokens.items() if token.expires_at <= now]:
                del self._tokens[key]
            while len(self._tokens) > _KEPT:
                del self._tokens[next(iter(self._tokens))]


def _judge(answer: Answer) -> Verdict:
    """Return what an answer of the token service says of the password."""
    if answer.status == 401:
        return Verdict.REJECTED
    return Verdict.ACCEPTED if answer.status == 200 else Verdict.NEITHER


def _error(answer: Answer, scope: str) -> TallymanError:
    if answer.status in (401, 403):
        return forbidden(answer.host, scope or "the registry")
    if is_redirect(answer):
        return _refused(answer.host, "redirects, and a password is not shown to whom it redirects")
    return status_error(answer.host, "a token", answer.status)


def _read(answer: Answer) -> tuple[str, float]:
    """Return the token and its lifetime in seconds. Some services give both fields, one of them empty."""
    document = answer.json("a token")
    fields = document if isinstance(document, dict) else {}
    text = fields.get("token") or fields.get("access_token")
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or " " in text:
        raise _refused(answer.host, "answered without a usable token")
    return text, _lifetime(fields.get("expires_in"))


def _lifetime(told: Any) -> float:
    """Return the seconds a token lives. Source: Distribution's token specification; 60 where it is not told."""
    if isinstance(told, (int, float)) and 0 < told < math.inf:
        return float(min(told, _LONGEST_LIFETIME_SECONDS))
    return _DEFAULT_LIFETIME_SECONDS


def _refused(host: str, what: str) -> TokenServiceRefused:
    return TokenServiceRefused(
        f"The token service of {host} {what}. Correct the registry's auth settings.", reason="token_service_refused"
    )
