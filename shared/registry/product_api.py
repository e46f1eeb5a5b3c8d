"""A product's own API beside Registry V2: JSON over HTTP, signed with the connection's credentials."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from shared.errors import PermanentError, TallymanError
from shared.registry.answer import LISTING_BYTES, Answer, host_of
from shared.registry.credentials import Verdict
from shared.registry.errors import credentials_needed, forbidden, status_error, web_page
from shared.registry.redirects import follow
from shared.registry.session import Session
from shared.registry.user_agent import USER_AGENT

T = TypeVar("T")

_MISSING: Final = frozenset({404, 405, 501})


class ApiMissing(PermanentError):
    """The product does not offer this here: an older version, another product, or a path that a proxy keeps back.

    codes: of the answer's error JSON, by which a product says that a thing does not exist, rather than an API.
    """

    def __init__(self, sentence: str, codes: frozenset[str]) -> None:
        super().__init__(sentence, reason="api_missing")
        self.codes: Final = codes


class Part(BaseModel):
    """Base of what is read of a product's JSON: frozen, no type is converted, what we do not use is not looked at."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


def read_as(kind: TypeAdapter[T], answer: Answer, what: str) -> T:
    """Return the body as JSON of this kind. Raises AnswerUnusable for any other."""
    try:
        return kind.validate_json(answer.body)
    except ValidationError:
        raise answer.unusable(what, "JSON of another shape than its API promises") from None


class ProductApi:
    """One API of a product.

    base: its address, without a slash at the end.
    as_token: the password is shown as a Bearer token, else user name and password as Basic.
    rejects: a 401 means that the credentials are wrong, so that they are shown no more; False where it may only
    mean that they are not for this API.
    Methods raise ApiMissing (404, 405, 501), Forbidden (403, or 401 without `rejects`), CredentialsNeeded,
    SignInRejected, NotARegistry for a web page, and what `RegistryClient` raises for the rest.
    """

    def __init__(self, session: Session, base: str, *, as_token: bool = False, rejects: bool = True) -> None:
        self._session: Final = session
        self._base: Final = base
        self.host: Final = host_of(httpx.URL(base))
        self._as_token: Final = as_token
        self._rejects: Final = rejects

    async def get(self, path: str, what: str, query: Sequence[tuple[str, str]] = ()) -> Answer:
        """Return the answer of status 200 to `GET base + path`; path is encoded already.  what: in words."""
        return await self._ask("GET", path, what, query, {}, None)

    async def post(self, path: str, what: str, body: bytes, content_type: str) -> Answer:
        """Return the answer of status 200 to a POST that only asks: it may be sent more than once."""
        return await self._ask("POST", path, what, (), {"Content-Type": content_type}, body)

    async def _ask(
        self,
        method: str,
        path: str,
        what: str,
        query: Sequence[tuple[str, str]],
        more: Mapping[str, str],
        body: bytes | None,
    ) -> Answer:
        url = httpx.URL(self._base + path)
        if query:
            url = url.copy_merge_params(httpx.QueryParams(list(query)))
        plain = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip", **more}

        async def hop(to: httpx.URL, headers: Mapping[str, str]) -> Answer:
            return await self._session.sender.ask(method, to, headers, LISTING_BYTES, body)

        async def signed(authorization: str | None) -> Answer:
            return await follow(hop, url, plain | ({"Authorization": authorization} if authorization else {}))

        credentials = self._session.credentials
        if credentials:
            answer = await credentials.show(signed, self._judge, as_token=self._as_token)
        else:
            answer = await signed(None)
        if answer.status != 200:
            raise self._refusal(answer, what)
        if answer.is_web_page():
            raise web_page(self.host, what)
        return answer

    def _judge(self, answer: Answer) -> Verdict:
        """Return what an answer says of the credentials."""
        if answer.status == 401:
            return Verdict.REJECTED if self._rejects else Verdict.NEITHER
        return Verdict.ACCEPTED if answer.status in (200, 403) else Verdict.NEITHER

    def _refusal(self, answer: Answer, what: str) -> TallymanError:
        if answer.status in _MISSING:
            return ApiMissing(f"{self.host} does not offer {what} (status {answer.status}).", answer.codes())
        if answer.status == 401:
            return forbidden(self.host, what) if self._session.credentials else credentials_needed(self.host, what)
        return status_error(self.host, what, answer.status)
