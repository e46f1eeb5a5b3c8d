"""A product's own API beside Registry V2: JSON over HTTP, signed with the connection's credentials."""

from collections.abc import Mapping, Sequence
from typing import Final

import httpx

from shared.errors import PermanentError, TallymanError
from shared.registry.answer import LISTING_BYTES, Answer, host_of
from shared.registry.credentials import Verdict
from shared.registry.errors import credentials_needed, forbidden, status_error, web_page
from shared.registry.redirects import follow
from shared.registry.session import Session
from shared.registry.user_agent import USER_AGENT

_MISSING: Final = frozenset({404, 405, 501})


class ApiMissing(PermanentError):
    """The product does not offer this here: an older version, another product, or a path that a proxy keeps back."""


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
        self._host: Final = host_of(httpx.URL(base))
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
            raise web_page(self._host, what)
        return answer

    def _judge(self, answer: Answer) -> Verdict:
        """Return what an answer says of the credentials."""
        if answer.status == 401:
            return Verdict.REJECTED if self._rejects else Verdict.NEITHER
        return Verdict.ACCEPTED if answer.status in (200, 403) else Verdict.NEITHER

    def _refusal(self, answer: Answer, what: str) -> TallymanError:
        if answer.status in _MISSING:
            return ApiMissing(f"{self._host} does not offer {what} (status {answer.status}).", reason="api_missing")
        if answer.status == 401:
            return forbidden(self._host, what) if self._session.credentials else credentials_needed(self._host, what)
        return status_error(self._host, what, answer.status)
