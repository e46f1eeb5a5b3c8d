"""Docker's schema 1, that old registries still hold: the platform at the top, no config, no sizes.

A signed one (`+prettyjws`) is known by the digest of its payload, not of the bytes served: the registry adds a
signature of its own at each start. Source: Docker Image Manifest V2, Schema 1, "Signed Manifests".
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from shared.errors import PermanentError
from shared.oci.digest import Digest
from shared.oci.documents import MOST_ENTRIES, ConfigDocument, Document, Text, moment, read
from shared.oci.platform import Platform

SCHEMA1_MALFORMED: Final = "manifest_malformed"


class _Layer(Document):
    v1_compatibility: str = Field(alias="v1Compatibility")


class _Signature(Document):
    protected: str


class _Protected(Document):
    format_length: Annotated[int, Field(ge=0)]
    format_tail: str


class _Schema1(Document):
    architecture: Text | None = None
    history: Annotated[list[_Layer], Field(max_length=MOST_ENTRIES)] | None = None
    signatures: list[_Signature] | None = None


@dataclass(frozen=True)
class ParsedSchema1:
    """What a schema 1 manifest tells. signed: it carries signatures, whatever its Content-Type says."""

    signed: bool
    platform: Platform
    created: datetime | None


def parse_schema1(body: bytes) -> ParsedSchema1:
    """Return the platform and creation time: architecture at the top, the rest with the newest layer.

    Raises PermanentError (`manifest_malformed`).
    """
    document = _read(body)
    newest = ConfigDocument()
    if document.history:
        text = document.history[0].v1_compatibility
        newest = read(ConfigDocument, text, what="manifest's newest v1Compatibility", reason=SCHEMA1_MALFORMED)
    platform = Platform(
        os=newest.os or "",
        architecture=document.architecture or newest.architecture or "",
        variant=newest.variant or "",
        os_version=newest.os_version or "",
    )
    return ParsedSchema1(bool(document.signatures), platform, moment(newest.created))


def schema1_digest(body: bytes) -> Digest:
    """Return the digest a registry knows this schema 1 manifest by: of the payload that its signatures sign.

    Raises PermanentError (`manifest_malformed`).
    """
    signatures = _read(body).signatures
    if not signatures:
        return Digest.of(body)
    header = _decoded(signatures[0].protected)
    protected = read(_Protected, header, what="manifest's signature", reason=SCHEMA1_MALFORMED)
    return Digest.of(body[: protected.format_length] + _decoded(protected.format_tail))


def _read(body: bytes) -> _Schema1:
    return read(_Schema1, body, what="manifest", reason=SCHEMA1_MALFORMED)


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise PermanentError(
            "The manifest's signature is not base64url. Push the image again with a current client.",
            reason=SCHEMA1_MALFORMED,
        ) from error
