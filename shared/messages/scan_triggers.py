"""`scan.triggers`: what the public is told to scan. The one description of it; a CloudEvent's data."""

from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from pydantic import Field

from shared.messages.image_events import EventPlatform, ImageFacts, OfRegistry
from shared.oci.digest import Digest

SOURCE: Final = "urn:tallyman:triggers"
"""One source for all registries: an image that several hold is triggered once."""

_NAMESPACE: Final = UUID("3c1d7c39-1d0f-5a5e-8d55-0a2a4d0f7a6e")


class TriggerReason(StrEnum):
    """Why an image is to be scanned."""

    DISCOVERED = "discovered"
    REAPPEARED = "reappeared"
    ASKED = "asked"


class ScanTrigger(OfRegistry, ImageFacts):
    """An image is to be scanned: no registry held its digest for this platform before, or a person asked."""

    repository: str = Field(description="Repository, without the host, of the registry where it was seen first.")
    tags: tuple[str, ...] = Field(description="Tags that reach it there.")
    trigger: TriggerReason = Field(
        description="discovered, reappeared (and was never triggered before), or asked (by a person)."
    )
    snapshot: bool = Field(description="True where it was there before the registry was connected.")


def platform_name(platform: EventPlatform) -> str:
    """Return the platform as scanners name it: os/architecture[/variant]; empty parts are left out at the end."""
    return "/".join((platform.os, platform.architecture, platform.variant)).rstrip("/")


def trigger_id(digest: Digest, platform: EventPlatform, asked: str) -> str:
    """Return a trigger's id, a UUIDv5 of the digest and the platform: whoever sends it again repeats it.

    asked: which of a person's requests it is; empty for the one that comes by itself.
    """
    return str(uuid5(_NAMESPACE, "\n".join((digest, platform_name(platform), asked))))
