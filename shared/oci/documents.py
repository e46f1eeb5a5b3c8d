"""The JSON documents of a registry as they come: hostile until read, and seen by the parsers only.

Of a key given twice the last counts, as in Go's encoding/json, which the registries and engines use.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from shared.errors import PermanentError

MOST_ENTRIES: Final = 10_000
"""Entries of an index and layers of an image that are read; a body with more is refused. Real ones have under 200."""

Text = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
Size = Annotated[int, Field(ge=0, lt=2**63)]


class Document(BaseModel):
    """A JSON object. Absent and null are the same; what we do not use is not looked at; no type is converted."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", alias_generator=to_camel)


class PlatformDocument(Document):
    """`platform` of an index entry."""

    os: Text | None = None
    architecture: Text | None = None
    variant: Text | None = None
    os_version: Text | None = Field(None, alias="os.version")


class Descriptor(Document):
    """What a manifest says of a blob or of another manifest. Source: OCI image-spec, Content Descriptors."""

    media_type: Text | None = None
    digest: Text
    size: Size
    artifact_type: Text | None = None
    platform: PlatformDocument | None = None
    annotations: dict[str, Any] | None = None


Descriptors = Annotated[list[Descriptor], Field(max_length=MOST_ENTRIES)]


class ManifestDocument(Document):
    """Every kind of schema 2 manifest in one: its shape is told by the fields that are there."""

    schema_version: int | None = None
    media_type: Text | None = None
    artifact_type: Text | None = None
    config: Descriptor | None = None
    layers: Descriptors | None = None
    manifests: Descriptors | None = None
    blobs: Descriptors | None = None


class ConfigDocument(PlatformDocument):
    """An image's config, and the `v1Compatibility` of a schema 1 layer, which is one in small."""

    created: Any = None


D = TypeVar("D", bound=Document)


def read(kind: type[D], body: bytes | str, *, what: str, reason: str) -> D:
    """Return the body as a document of this kind.

    what: the document's name in the error's sentence.
    Raises PermanentError(reason) for whatever is not JSON of that kind, however it fails: syntax, UTF-8, nesting,
    numbers out of range, wrong types.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        told = f"{where}: {problem['msg']}" if where else problem["msg"]
        raise PermanentError(
            f"The {what} is not what the registry API promises ({told}). Push it again, or look at what answers "
            "for the registry.",
            reason=reason,
        ) from None


def moment(value: object) -> datetime | None:
    """Return an RFC 3339 time as UTC; None for anything else, and outside the years 1970 to 2299.

    A creation time is for people: builders write nonsense there, and no image is refused for it. The year 1 is how
    Go says that it was not set; 2299 is the last year the store can hold.
    """
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        utc = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return utc if 1970 <= utc.year <= 2299 else None
