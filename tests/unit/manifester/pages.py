"""A page of tags for the stage, and the registry that it is read from."""

from datetime import UTC, datetime
from typing import Any

from services.manifester.stage import manifester_stage
from shared.messages.connection_changed import Connection
from shared.messages.images_observed import ImagesObserved
from shared.messages.model import Reading
from shared.messages.tags_found import FoundTag, TagsFound
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.pipeline.stage import Stage
from tests.fakes.registry_access import CONTEXT, FakeRegistry, access, connection, told
from tests.fakes.store import FakeStore
from tests.unit.manifester.bodies import config, image

NOW = datetime(2030, 1, 1, tzinfo=UTC)
READING = Reading(id="reading", leg="leg", follows="leg before", page=3, last=True)
ARM64 = Platform(os="linux", architecture="arm64")


def stage(registry: FakeRegistry, store: FakeStore | None = None, to: Connection | None = None) -> Stage[TagsFound]:
    return manifester_stage(access(registry, to or connection()), store or FakeStore(), lambda: NOW)


def page_of(*tags: str, **fields: Any) -> TagsFound:
    """A page of tags of the repository `r`, for which the tagger has spent two requests."""
    found = tuple(FoundTag(name=tag) for tag in tags)
    return TagsFound(context=CONTEXT, repository="r", reading=READING, tags=found, requests=2, **fields)


async def observed(working: Stage[TagsFound], page: TagsFound) -> ImagesObserved:
    """The one message that a page becomes."""
    (message,) = await told(working.handle(page))
    assert isinstance(message, ImagesObserved)
    return message


def registry_of(**tags: bytes) -> FakeRegistry:
    registry = FakeRegistry({"r": {}})
    for tag, body in tags.items():
        registry.add("r", tag, body)
    return registry


def with_config(registry: FakeRegistry, body: bytes) -> bytes:
    registry.blobs[Digest.of(body)] = body
    return body


def an_image(registry: FakeRegistry, tag: str, architecture: str = "arm64", name: str = "") -> Digest:
    return registry.add("r", tag, image(with_config(registry, config(architecture)), name))
