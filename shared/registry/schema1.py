"""Docker's signed schema 1: its digest is over the payload, without the signatures."""

import base64
import json
from typing import Final

SIGNED_MEDIA_TYPES: Final = (
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v1+json",
)
"""Some registries label signed manifests as unsigned ones."""


def signed_payload(body: bytes) -> bytes | None:
    """Return the bytes that a signed manifest's digest is of, None if it is not a signed manifest.

    They are the body up to `formatLength` and then `formatTail`, as the first signature's protected header says.
    Source: Distribution, Image Manifest Version 2 Schema 1, Signed Manifests (libtrust's pretty JWS).
    """
    try:
        protected = json.loads(body)["signatures"][0]["protected"]
        header = json.loads(_unpadded(protected))
        length = header["formatLength"]
        tail = _unpadded(header["formatTail"])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return None
    return body[:length] + tail if type(length) is int and 0 <= length <= len(body) else None


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
