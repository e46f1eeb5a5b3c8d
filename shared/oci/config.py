"""An image's config blob: the one place where a single-platform image says what it runs on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.oci.documents import ConfigDocument, PlatformDocument, moment, read
from shared.oci.platform import Platform

CONFIG_MALFORMED: Final = "config_malformed"


@dataclass(frozen=True)
class ParsedConfig:
    """What a config tells. created: None where not told or not a time."""

    platform: Platform
    created: datetime | None


def parse_config(body: bytes) -> ParsedConfig:
    """Return the platform and the creation time.

    Raises PermanentError (`config_malformed`) when the body is not an image's config.
    Source: OCI image-spec, Image Configuration.
    """
    document = read(ConfigDocument, body, what="image's config", reason=CONFIG_MALFORMED)
    return ParsedConfig(told_platform(document), moment(document.created))


def told_platform(document: PlatformDocument) -> Platform:
    """Return the platform that a document tells, empty where it does not."""
    return Platform(
        os=document.os or "",
        architecture=document.architecture or "",
        variant=document.variant or "",
        os_version=document.os_version or "",
    )
