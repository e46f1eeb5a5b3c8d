"""How one registry wants its requests signed: learned from its challenges, once for each kind of request."""

from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Final, TypeAlias

import httpx

from shared.messages.connection_fields import AuthType
from shared.registry.answer import Answer, host_of
from shared.registry.challenges import Challenge, parse_challenges
from shared.registry.credentials import Credentials, Verdict
from shared.registry.errors import credentials_needed, sign_in_unsupported
from shared.registry.redirects import origin
from shared.registry.tokens import Tokens, TokenService, token_service

CATALOG_SCOPE: Final = "registry:catalog:*"


class _Way(Enum):
    GUEST = auto()
    BASIC = auto()


Way: TypeAlias = _Way | TokenService
Get: TypeAlias = Callable[[str | None], Awaitable[Answer]]
"""Asks with this Authorization header, or without one."""


def pull_scope(repository: str) -> str:
    """Return the scope of reading a repository. Source: Distribution, Token Scope Documentation."""
    return f"repository:{repository}:pull"


class SignIn:
    """Signs the requests of one registry.

    Basic is shown from the first request on; Bearer starts with a challenge. Either learns the other where the
    registry asks for it: some want Basic for the catalog and tokens for the rest. An answer of 401 is met once.
    """

    def __init__(self, registry: httpx.URL, auth: AuthType, credentials: Credentials | None, tokens: Tokens) -> None:
        self._registry: Final = registry
        self._auth: Final = auth
        self._credentials: Final = credentials
        self._tokens: Final = tokens
        self._first: Final[Way] = _Way.BASIC if credentials and auth is AuthType.BASIC else _Way.GUEST
        self._ways: Final[dict[str, Way]] = {}

    async def ask(self, scope: str, what: str, get: Get) -> Answer:
        """Return the answer to `get`, signed. Still 401: signed in, and not allowed.

        Raises SignInRejected, CredentialsNeeded, TokenServiceRefused, or as `get`.
        """
        if self._credentials:
            await self._credentials.check()
        kind = scope.partition(":")[0]
        way = self._ways.get(kind, self._first)
        answer, token = await self._ask(way, scope, get)
        if not self._is_challenged(answer):
            return answer
        challenges = _by_scheme(answer)
        if not challenges and way is not _Way.GUEST:  # some registries say so of what they do not know or show
            return (await self._ask(way, scope, get, refused=token))[0] if token else answer
        bearer = challenges.get("bearer")
        wanted = (bearer.parameters.get("scope") if bearer else None) or scope
        if token and bearer and wanted == scope and bearer.parameters.get("error") == "insufficient_scope":
            return answer
        way = self._choose(bearer, "basic" in challenges, what)
        answer, _ = await self._ask(way, wanted, get, refused=token)
        if answer.status != 401:
            self._ways[kind] = way
        return answer

    async def _ask(self, way: Way, scope: str, get: Get, refused: str | None = None) -> tuple[Answer, str | None]:
        """Return the answer and the token it was asked with."""
        if isinstance(way, TokenService):
            token = await self._tokens.get(way, scope, refused)
            return await get("Bearer " + token), token
        if way is _Way.BASIC and self._credentials:
            return await self._credentials.show(get, self._judge), None
        return await get(None), None

    def _is_challenged(self, answer: Answer) -> bool:
        """Only the registry itself is signed in to, never a host it redirects to."""
        return answer.status == 401 and origin(answer.url) == origin(self._registry)

    def _judge(self, answer: Answer) -> Verdict:
        """Return what an answer to Basic says of the password: nothing, where only tokens are wanted."""
        if not self._is_challenged(answer):
            return Verdict.NEITHER if answer.status == 429 or answer.status >= 500 else Verdict.ACCEPTED
        challenges = _by_scheme(answer)
        if not challenges:
            return Verdict.UNEXPLAINED
        return Verdict.NEITHER if "bearer" in challenges and "basic" not in challenges else Verdict.REJECTED

    def _choose(self, bearer: Challenge | None, basic: bool, what: str) -> Way:
        if bearer and (self._auth is AuthType.BEARER or not basic or not self._credentials):
            return token_service(self._registry, bearer)
        if basic and self._credentials:
            return _Way.BASIC
        if basic:
            raise credentials_needed(host_of(self._registry), what)
        raise sign_in_unsupported(host_of(self._registry))


def _by_scheme(answer: Answer) -> dict[str, Challenge]:
    """Return the first challenge of each scheme; a Bearer challenge without a realm is none."""
    found: dict[str, Challenge] = {}
    for challenge in parse_challenges(answer.headers.get_list("www-authenticate")):
        if challenge.scheme != "bearer" or challenge.parameters.get("realm"):
            found.setdefault(challenge.scheme, challenge)
    return found
