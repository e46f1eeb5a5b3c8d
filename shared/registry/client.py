"""Registry V2, one method per endpoint. Source: OCI distribution-spec; Distribution, HTTP API V2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from shared.errors import PermanentError, TallymanError
from shared.oci import media_types
from shared.oci.digest import Digest
from shared.oci.manifest import manifest_digest
from shared.registry.answer import LISTING_BYTES, MANIFEST_BYTES, SMALL_BYTES, Answer, below, host_of
from shared.registry.conditional import Way, head_digest
from shared.registry.errors import (
    DigestMismatch,
    ManifestGone,
    RegistryUnreachable,
    RepositoryGone,
    credentials_needed,
    redirected_error,
    status_error,
)
from shared.registry.names import check_names, repository_path, tag_path
from shared.registry.pagination import Cursor, Page, Start, cursor_lost, names_after, next_cursor, next_link
from shared.registry.redirects import follow, origin
from shared.registry.session import Session
from shared.registry.sign_in import CATALOG_SCOPE, pull_scope
from shared.registry.user_agent import USER_AGENT

_ACCEPT_MANIFESTS: Final = ", ".join((*media_types.MANIFESTS, *media_types.SCHEMA1_MANIFESTS))


@dataclass(frozen=True)
class FetchedManifest:
    """digest: checked.  media_type: as the registry labels it, "" where it does not.  body: as received."""

    digest: Digest
    media_type: str
    body: bytes


@dataclass(frozen=True)
class Unchanged:
    """The reference still points to the digest that was known."""

    digest: Digest


@dataclass(frozen=True)
class _Gone:
    """The error code by which a registry says in its own JSON that something does not exist, and our error for it."""

    code: str
    error: type[PermanentError]
    reason: str


_REPOSITORY_GONE: Final = _Gone("NAME_UNKNOWN", RepositoryGone, "repository_gone")
_MANIFEST_GONE: Final = _Gone("MANIFEST_UNKNOWN", ManifestGone, "manifest_gone")


@dataclass(frozen=True)
class _Wanted:
    """What a request is for.  scope: of its token.  what: in words.  limit: of its body, bytes."""

    scope: str
    what: str
    limit: int
    headers: Mapping[str, str]
    gone: _Gone | None = None


_JSON: Final[Mapping[str, str]] = {"Accept": "application/json", "Accept-Encoding": "gzip"}
_BYTES: Final[Mapping[str, str]] = {"Accept-Encoding": "identity"}
"""Digests are of the bytes, so nothing on the way is to pack them."""


def _manifest_path(repository: str, reference: str) -> str:
    return f"{repository_path(repository)}/manifests/{tag_path(reference)}"


def _wanted_manifest(repository: str, reference: str, more: Mapping[str, str]) -> _Wanted:
    what = f"{repository}{'@' if isinstance(reference, Digest) else ':'}{reference}"
    headers = {"Accept": _ACCEPT_MANIFESTS, **_BYTES, **more}
    return _Wanted(pull_scope(repository), what, MANIFEST_BYTES, headers, _MANIFEST_GONE)


class RegistryClient:
    """One Registry V2, as one revision of its connection says.

    base: where it lies, up to and with `/v2/`; some products have many on one host, each below a path of its own.
    pages: False asks for whole listings, where a registry's pages cannot be trusted.

    Every method raises SignInRejected, CredentialsNeeded, Forbidden, NotARegistry, AnswerUnusable, BodyTooLarge,
    RedirectRefused, TokenServiceRefused, CertificateRefused, RequestRefused (PermanentError all), and, with the
    attempts spent, RegistryUnreachable, RegistryUnavailable, RateLimited (SpentError).
    """

    def __init__(self, session: Session, base: str, *, pages: bool = True) -> None:
        self._session: Final = session
        self._base: Final = httpx.URL(base)
        self._host: Final = host_of(self._base)
        self._sign_in: Final = session.sign_in(self._base)
        self._page_size = session.connection.page_size if pages else None

    async def ping(self) -> None:
        """Return when a registry answers there and lets us in."""
        wanted = _Wanted("", "/v2/", SMALL_BYTES, _JSON)
        answer = await self._get("", wanted)
        if answer.status != 200:
            raise self._refusal(wanted, answer)
        if answer.is_web_page():
            raise answer.unusable(wanted.what, "a web page")

    async def catalog(self, cursor: str | None = None) -> Page:
        """Return one page of the names of all repositories. Also raises CatalogForbidden, and as `tags`."""
        wanted = _Wanted(CATALOG_SCOPE, "the catalog of repositories", LISTING_BYTES, _JSON)
        return await self._page("_catalog", "repositories", wanted, cursor)

    async def tags(self, repository: str, cursor: str | None = None) -> Page:
        """Return one page of a repository's tags.

        Also raises RepositoryGone (first page only), CursorLost, CursorStuck, BadName.
        """
        scope, what = pull_scope(repository), f"the tags of {repository}"
        wanted = _Wanted(scope, what, LISTING_BYTES, _JSON, _REPOSITORY_GONE)
        try:
            return await self._page(f"{repository_path(repository)}/tags/list", "tags", wanted, cursor)
        except RepositoryGone as error:
            if cursor is not None:  # some registries answer so, too, when the cursor's entry is gone
                raise cursor_lost(self._host) from error
            raise

    async def told(self, path: str, repository: str, what: str, query: Sequence[Start] = ()) -> Answer:
        """Return the answer of status 200 to a question of the product's own about a repository, below the base.

        Also raises RepositoryGone; NotARegistry where that question is not known.
        """
        wanted = _Wanted(pull_scope(repository), what, LISTING_BYTES, _JSON, _REPOSITORY_GONE)
        answer = await self._get(path, wanted, query)
        if answer.status != 200:
            raise self._refusal(wanted, answer)
        return answer

    async def manifest(
        self, repository: str, reference: str, known: Digest | None = None
    ) -> FetchedManifest | Unchanged:
        """Return the manifest a tag or digest points to; Unchanged if that is still the `known` digest.

        Also raises ManifestGone, DigestMismatch.
        """
        if known is None:
            return await self._manifest(repository, reference)
        async with self._session.condition.way() as way:
            if way is Way.HEAD:
                return await self._unless_head_tells(repository, reference, known)
            return await self._manifest(repository, reference, known if way is Way.IF_NONE_MATCH else None)

    async def _unless_head_tells(self, repository: str, reference: str, known: Digest) -> FetchedManifest | Unchanged:
        """Ask by HEAD, then by GET where that tells no unchanged digest: a HEAD alone may break off at some proxies."""
        broken = False
        try:
            if await self.head(repository, reference) == known:
                return Unchanged(known)
        except RegistryUnreachable:
            broken = True
        fetched = await self._manifest(repository, reference)
        if broken:
            self._session.condition.not_honoured(Way.HEAD)
        return fetched

    async def head(self, repository: str, reference: str) -> Digest | None:
        """Return the digest that a HEAD tells, None for whatever else it comes to: a GET finds out what that is."""
        wanted = _wanted_manifest(repository, reference, {})
        answer = await self._ask("HEAD", _manifest_path(repository, reference), wanted)
        digest = head_digest(answer) if answer.status == 200 else None
        if digest is None and answer.status in (200, 405, 501):
            self._session.condition.not_honoured(Way.HEAD)
        return digest

    async def config(self, repository: str, digest: Digest) -> bytes:
        """Return a config blob. Also raises DigestMismatch."""
        wanted = _Wanted(pull_scope(repository), f"config {digest} of {repository}", MANIFEST_BYTES, _BYTES)
        answer = await self._get(f"{repository_path(repository)}/blobs/{digest}", wanted)
        if answer.status != 200:
            raise self._refusal(wanted, answer)
        if Digest.of(answer.body) != digest:
            raise self._mismatch(wanted.what)
        return answer.body

    async def _manifest(
        self, repository: str, reference: str, unless: Digest | None = None
    ) -> FetchedManifest | Unchanged:
        wanted = _wanted_manifest(repository, reference, {"If-None-Match": f'"{unless}"'} if unless else {})
        answer = await self._ask("GET", _manifest_path(repository, reference), wanted)
        if unless and answer.status == 304:
            return Unchanged(unless)
        if answer.status != 200:
            raise self._refusal(wanted, answer)
        if answer.is_web_page():
            raise answer.unusable(wanted.what, "a web page")
        fetched = self._checked(answer, wanted.what, reference)
        self._session.condition.learn(answer, fetched.digest, unless)
        return fetched

    async def _page(self, path: str, field: str, wanted: _Wanted, cursor: str | None) -> Page:
        at = Cursor.parse(cursor) if cursor is not None else None
        names, link = await self._listed(path, field, wanted, at.start if at else None)
        if at and at.by_name and not names and link is None:
            earlier, link = await self._listed(path, field, wanted, at.earlier_start)
            names = names_after(at, earlier, self._host)
        following = next_cursor(at, link, names, self._host, self._session.most_pages)
        return Page(names, str(following) if following else None)

    async def _listed(
        self, path: str, field: str, wanted: _Wanted, start: Start | None
    ) -> tuple[tuple[str, ...], Start | None]:
        """Return the names of a page and the link to the next; asks for smaller pages where the registry wants it."""
        while True:
            size = self._page_size
            query = [("n", str(size))] if size else []
            answer = await self._get(path, wanted, [*query, *([start] if start else [])])
            too_large = answer.status == 400 and "PAGINATION_NUMBER_INVALID" in answer.codes()
            if not (too_large and size and size > 1):
                break
            self._page_size = min(self._page_size or size, size // 2)
        if answer.status == 400 and start:  # some registries, when the cursor's entry is gone
            raise cursor_lost(self._host)
        if answer.status != 200:
            raise self._refusal(wanted, answer)
        return self._names(answer, field, wanted.what), next_link(answer.headers.get_list("link"), self._host)

    def _names(self, answer: Answer, field: str, what: str) -> tuple[str, ...]:
        document = answer.json(what)
        names = document.get(field, 0) if isinstance(document, dict) else 0
        if names is None:  # some registries, for a repository without tags
            return ()
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise answer.unusable(what, f"JSON without a list of {field}")
        return check_names(self._host, names)

    async def _get(self, path: str, wanted: _Wanted, query: Sequence[Start] = ()) -> Answer:
        return await self._ask("GET", path, wanted, query)

    async def _ask(self, method: str, path: str, wanted: _Wanted, query: Sequence[Start] = ()) -> Answer:
        url = below(self._base, path)
        if query:
            url = url.copy_merge_params(httpx.QueryParams(list(query)))

        async def signed(authorization: str | None) -> Answer:
            headers = {"User-Agent": USER_AGENT, **wanted.headers}
            if authorization:
                headers["Authorization"] = authorization
            return await follow(hop, url, headers)

        async def hop(to: httpx.URL, headers: Mapping[str, str]) -> Answer:
            return await self._session.sender.ask(method, to, headers, wanted.limit)

        return await self._sign_in.ask(wanted.scope, wanted.what, signed)

    def _checked(self, answer: Answer, what: str, reference: str) -> FetchedManifest:
        """Return the manifest, once its digest is the one that was promised."""
        digest = manifest_digest(answer.body, answer.media_type)
        told = answer.headers.get("docker-content-digest", "")
        if (told.startswith("sha256:") and told != digest) or (isinstance(reference, Digest) and reference != digest):
            raise self._mismatch(what)
        return FetchedManifest(digest, answer.media_type, answer.body)

    def _mismatch(self, what: str) -> DigestMismatch:
        return DigestMismatch(
            f"{self._host} gave other bytes for {what} than its digest is of; they are not kept. Check the registry's "
            "storage, and caches before it.",
            reason="digest_mismatch",
        )

    def _refusal(self, wanted: _Wanted, answer: Answer) -> TallymanError:
        """Return the error of an answer that is not the one wanted."""
        if answer.status == 404 and wanted.gone and wanted.gone.code in answer.codes():
            return wanted.gone.error(
                f"{self._host} no longer has {wanted.what}. Nothing is to be done.", reason=wanted.gone.reason
            )
        if origin(answer.url) != origin(self._base):
            return redirected_error(self._host, wanted.what, str(answer.url.copy_with(query=None)), answer.status)
        if answer.status == 401 and not self._session.credentials:
            return credentials_needed(self._host, wanted.what)
        return status_error(
            self._host,
            wanted.what,
            answer.status,
            catalog=wanted.scope == CATALOG_SCOPE,
            speaks=bool(answer.codes()),
        )
