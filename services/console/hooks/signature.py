"""Whether a hook shows its connection's secret, or is signed with it. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Final

_SHOWN_IN: Final = ("x-jfrog-event-auth", "x-tallyman-secret")


def is_signed(secret: str, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> bool:
    """Return whether whoever sent this knows the secret.

    Signed: Nexus (HMAC-SHA1 of the body), and whoever sends X-Hub-Signature-256. Shown: `Authorization` (Bearer, bare
    or a Basic password), Artifactory's header; `?secret=` for those that can set nothing but an address.
    headers: names in lower case.
    """
    if any(_same(given, expected) for given, expected in _signatures(secret, headers, body)):
        return True
    return any(_same(given, secret) for given in _shown(headers, query))


def _signatures(secret: str, headers: Mapping[str, str], body: bytes) -> Iterator[tuple[str, str]]:
    key = secret.encode()
    if nexus := headers.get("x-nexus-webhook-signature"):
        yield nexus.lower(), hmac.new(key, body, hashlib.sha1).hexdigest()
    if hub := headers.get("x-hub-signature-256"):
        yield hub.lower(), "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()


def _shown(headers: Mapping[str, str], query: Mapping[str, str]) -> Iterator[str]:
    authorization = headers.get("authorization", "")
    scheme, _, rest = authorization.partition(" ")
    yield authorization
    if scheme.lower() == "bearer":
        yield rest.strip()
    if scheme.lower() == "basic":
        yield _password(rest)
    yield from (headers.get(name, "") for name in _SHOWN_IN)
    yield query.get("secret", "")


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
