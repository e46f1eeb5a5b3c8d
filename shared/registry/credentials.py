"""User name and password: shown by one request at a time until accepted once, and never again once rejected.

Some products lock an account out after three failed sign-ins, so a page of tags must not start with sixteen.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pydantic import SecretStr

from shared.registry.answer import Answer
from shared.registry.errors import SignInRejected, SpentError, sign_in_locked, sign_in_rejected
from shared.registry.retry import LOCKED_OUT


class Verdict(Enum):
    """What an answer says of the credentials it was asked with."""

    ACCEPTED = auto()
    REJECTED = auto()
    UNEXPLAINED = auto()  # a 401 without a challenge: rejected, unless they were accepted before
    NEITHER = auto()


@dataclass(frozen=True)
class Refusal:
    """What other processes know of these credentials.

    host: of the registry.  is_known: whether one of them was rejected.  tell: tells them.
    """

    host: str
    is_known: Callable[[], Awaitable[bool]]
    tell: Callable[[], None]


class Credentials:
    """What a person gave for one registry, and what became of it so far."""

    def __init__(self, username: str, password: SecretStr, refusal: Refusal | None = None) -> None:
        self._refusal: Final = refusal
        self.username: Final = username
        self._password: Final = password
        self._one: Final = asyncio.Lock()
        self._accepted = False
        self._rejected: SignInRejected | None = None
        self._trouble: SpentError | None = None

    @property
    def accepted(self) -> bool:
        """Whether they were shown and taken."""
        return self._accepted

    async def check(self) -> None:
        """Raise SignInRejected where they are known to be rejected: then nothing is asked at all."""
        if not self._accepted and not self._rejected and self._refusal and await self._refusal.is_known():
            self._rejected = sign_in_rejected(self._refusal.host)
        if self._rejected:
            raise self._rejected

    async def show(
        self, ask: Callable[[str], Awaitable[Answer]], judge: Callable[[Answer], Verdict], *, as_token: bool = False
    ) -> Answer:
        """Return the answer to `ask(Authorization)`: Basic, or `as_token` the password itself as a Bearer token.

        Raises SignInRejected if the credentials are rejected or were before. Who waited for the first to show them
        and sees it fail to reach the registry fails with it, instead of waiting through the same attempts in turn.
        """
        trouble = self._trouble
        while not self._accepted:
            async with self._one:
                if self._trouble is not trouble and self._trouble is not None:
                    raise self._trouble
                if not self._accepted:
                    return await self._shown(ask, judge, as_token)
        return await self._shown(ask, judge, as_token)

    async def _shown(
        self, ask: Callable[[str], Awaitable[Answer]], judge: Callable[[Answer], Verdict], as_token: bool
    ) -> Answer:
        await self.check()
        try:
            answer = await ask(self._token() if as_token else self._basic())
        except SpentError as error:
            self._trouble = error
            raise
        if answer.status == 429 and LOCKED_OUT in answer.body.lower():
            self._rejected = sign_in_locked(answer.host)
        verdict = judge(answer)
        if verdict is Verdict.REJECTED or (verdict is Verdict.UNEXPLAINED and not self._accepted):
            self._rejected = sign_in_rejected(answer.host)
        if self._rejected:
            if self._refusal:
                self._refusal.tell()
            raise self._rejected
        self._accepted = self._accepted or verdict is Verdict.ACCEPTED
        return answer

    def _token(self) -> str:
        """Return the value of a Bearer Authorization header: the password is a token that a person made."""
        return "Bearer " + self._password.get_secret_value()

    def _basic(self) -> str:
        return basic_authorization(self.username, self._password)


def basic_authorization(username: str, password: SecretStr) -> str:
    """Return the value of a Basic Authorization header. Source: RFC 7617, UTF-8."""
    pair = f"{username}:{password.get_secret_value()}".encode()
    return "Basic " + base64.b64encode(pair).decode()
