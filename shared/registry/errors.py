"""What can go wrong with a registry, each with a sentence that says what happened and what to do.

No text holds a credential, a token, a header value or words of the registry's own; only hosts, names of
repositories and tags, and numbers.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from shared.errors import PermanentError, TallymanError, TransientError


class SignInRejected(PermanentError):
    """The registry or its token service rejected the user name or password; this client signs in no more.

    Some products lock an account out after a few failures, so nothing is tried again until the connection changes.
    """


class CredentialsNeeded(PermanentError):
    """The registry asks for a sign-in that the connection cannot give."""


class Forbidden(PermanentError):
    """Signed in, and not allowed to read this."""


class CatalogForbidden(Forbidden):
    """Signed in, and not allowed to list all repositories."""


class RepositoryGone(PermanentError):
    """404 with NAME_UNKNOWN in registry JSON for a tag list's first page."""


class ManifestGone(PermanentError):
    """404 with MANIFEST_UNKNOWN in registry JSON."""


class NotARegistry(PermanentError):
    """What answers there does not speak Registry V2."""


class AnswerUnusable(PermanentError):
    """The answer is cut off, not JSON, or not of the shape the API promises."""


class BodyTooLarge(PermanentError):
    """The answer is larger than anything of its kind should be."""


class DigestMismatch(PermanentError):
    """The bytes received are not those the digest names."""


class CursorStuck(PermanentError):
    """The registry's pages do not come to an end."""


class CursorLost(PermanentError):
    """The entry a page was to go on from was deleted meanwhile: the reading is incomplete."""


class BadName(PermanentError):
    """The registry listed a name that cannot be worked with: the reading is incomplete."""


class RedirectRefused(PermanentError):
    """A redirect that is not followed: too many, to another protocol, or from https to http."""


class TokenServiceRefused(PermanentError):
    """A token service that is not shown the credentials, or that gave no usable token."""


class CertificateRefused(PermanentError):
    """TLS: the certificate does not prove that this is the registry."""


class RequestRefused(PermanentError):
    """Any other status that trying again will not change."""


class SpentError(TransientError):
    """The client tried again as often as it may. Record the unit as failed; do not try the message again."""

    spent: Final = True


class RegistryUnreachable(SpentError):
    """No answer: the name is unknown, the connection refused or lost, or a timeout ran out."""


class RegistryUnavailable(SpentError):
    """The registry answers that it cannot: 408 or 5xx."""


class RateLimited(SpentError):
    """429 until the attempts were spent."""


def sign_in_rejected(host: str) -> SignInRejected:
    return SignInRejected(
        f"{host} rejected the user name or password. Correct them in the connection; nothing more is asked of it "
        "until then, so that the account is not locked out.",
        reason="sign_in_rejected",
    )


def sign_in_locked(host: str) -> SignInRejected:
    return SignInRejected(
        f"{host} has locked this account out after failed sign-ins. Wait until the lock ends (often a quarter of "
        "an hour), make sure of the password, then save the connection again.",
        reason="sign_in_locked",
    )


def credentials_needed(host: str, what: str) -> CredentialsNeeded:
    return CredentialsNeeded(
        f"{host} asks for a sign-in to read {what}. Give the connection a user name and a password.",
        reason="credentials_needed",
    )


def sign_in_unsupported(host: str) -> CredentialsNeeded:
    return CredentialsNeeded(
        f"{host} answers 401 and offers neither Basic nor Bearer authentication. Check that the host is a registry's.",
        reason="sign_in_unsupported",
    )


def catalog_forbidden(host: str, what: str) -> CatalogForbidden:
    return CatalogForbidden(
        f"{host} does not let this account read {what}. Give it the right to list all repositories, or name the "
        "repositories in the connection.",
        reason="catalog_forbidden",
    )


def forbidden(host: str, what: str) -> Forbidden:
    return Forbidden(
        f"{host} does not let this account read {what}. Give the account the right to pull it, or correct the user "
        "name and password (some registries take a wrong one for a guest).",
        reason="forbidden",
    )


def _catalog_missing(host: str, _: str, status: int) -> NotARegistry:
    return NotARegistry(
        f"{host} has no catalog (status {status}). Name the repositories in the connection.", reason="catalog_missing"
    )


def not_a_registry(host: str, what: str, status: int) -> NotARegistry:
    return NotARegistry(
        f"{host} answered {status} for {what}, not as a registry does. Check the host and its path.",
        reason="not_a_registry",
    )


def web_page(host: str, what: str) -> NotARegistry:
    return NotARegistry(
        f"{host} answered for {what} with a web page instead of registry JSON. Check the host and its path, and that "
        "no sign-in page stands before it.",
        reason="not_a_registry",
    )


def redirected_error(host: str, what: str, to: str, status: int) -> TallymanError:
    """Return the error for a refusal by a host that the registry redirects to; it never sees credentials of ours."""
    if status == 408 or status == 429 or status >= 500:
        return _unavailable(host, f"{what} from {to}", status)
    return RequestRefused(
        f"{host} sends readers of {what} to {to}, which answered {status}. If that is the registry's own address, use "
        "it as the host; else check the registry's storage settings.",
        reason="redirect_target_refused",
    )


def _refused(host: str, what: str, status: int) -> RequestRefused:
    return RequestRefused(
        f"{host} refused to give {what} (status {status}). Look into the registry's log.", reason="request_refused"
    )


def _unavailable(host: str, what: str, status: int) -> RegistryUnavailable:
    return RegistryUnavailable(
        f"{host} could not give {what}: it answered {_words(status)} each time. Look after the registry, then load "
        "again.",
        reason="registry_unavailable",
    )


def _rate_limited(host: str, what: str, _: int) -> RateLimited:
    return RateLimited(
        f"{host} answered {what} with 429 (too many requests) each time. Lower the connection's max RPS.",
        reason="rate_limited",
    )


_Make = Callable[[str, str, int], TallymanError]

_BY_STATUS: Final[Mapping[int, _Make]] = {
    401: lambda host, what, _: forbidden(host, what),
    403: lambda host, what, _: forbidden(host, what),
    404: not_a_registry,
    408: _unavailable,
    429: _rate_limited,
}
_BY_STATUS_OF_CATALOG: Final[Mapping[int, _Make]] = {
    401: lambda host, what, _: catalog_forbidden(host, what),
    403: lambda host, what, _: catalog_forbidden(host, what),
    404: _catalog_missing,
    405: _catalog_missing,
    501: _catalog_missing,
}


def status_error(host: str, what: str, status: int, *, catalog: bool = False, speaks: bool = False) -> TallymanError:
    """Return the error of an unwanted status.

    host: of the registry.  what: what was asked for, in words.  catalog: the catalog has advice of its own.
    speaks: the answer was a registry's error JSON, so that a registry it is.
    """
    make = _BY_STATUS_OF_CATALOG.get(status) if catalog else None
    if make is None and status == 404 and speaks:
        make = _refused
    make = make or _BY_STATUS.get(status) or (_unavailable if status >= 500 else _refused)
    return make(host, what, status)


def _words(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)
