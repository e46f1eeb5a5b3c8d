"""A page's observation: which tags got a digest, which failed, and the facts that go with them. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.manifester.expansion import expand, tells_more
from services.manifester.page import SeenPage, SeenTag
from services.units import failure
from shared.errors import PermanentError, TallymanError
from shared.messages.images_observed import ImagesObserved, ObservedManifest, ObservedTag
from shared.messages.model import Failure
from shared.messages.tags_found import TagsFound
from shared.oci.digest import Digest
from shared.pipeline.topics import MAX_MESSAGE_BYTES

FACTS_BYTES: Final = MAX_MESSAGE_BYTES // 2
"""Facts that one page may hold, in bytes on the wire; the rest of the message is names and sentences."""

REASON_TOO_MANY_FACTS: Final = "too_many_facts"


def observed(page: TagsFound, seen: SeenPage, requests: int, at: datetime) -> ImagesObserved:
    """Return the observation of a page, its tags in the page's order.

    requests: spent on the page by this stage.  A tag fails alone: where a member or a config of it was not read, or
    the message has no room for its facts, the others stay as they are.
    """
    facts, tags, failed = _Facts(), list[ObservedTag](), list[Failure]()
    for name in (tag.name for tag in page.tags):
        try:
            if name in seen.failed:
                raise seen.failed[name]
            if name in seen.tags:
                facts.add(seen, seen.tags[name])
                tags.append(ObservedTag(name=name, digest=seen.tags[name].digest))
        except TallymanError as error:
            failed.append(failure(name, error))
    return _passed_on(page, at).model_copy(
        update={
            "tags": tuple(tags),
            "failed": tuple(failed),
            "gone": tuple(tag.name for tag in page.tags if tag.name in seen.gone),
            "manifests": tuple(facts.by_digest.values()),
            "requests": page.requests + requests,
        }
    )


def observed_nothing(page: TagsFound, error: TallymanError, at: datetime) -> ImagesObserved:
    """Return the observation of a page that was given up: all its tags failed, and the reading proves nothing."""
    return _passed_on(page, at).model_copy(
        update={
            "failed": tuple(failure(tag.name, error) for tag in page.tags),
            "complete": False,
            "failures": (*page.failures, failure(page.repository, error)),
        }
    )


def _passed_on(page: TagsFound, at: datetime) -> ImagesObserved:
    """Return what the observation has of the page itself."""
    return ImagesObserved(
        context=page.context,
        repository=page.repository,
        reading=page.reading,
        out_of_scope=page.out_of_scope,
        complete=page.complete,
        failures=page.failures,
        requests=page.requests,
        observed_at=at,
    )


@dataclass
class _Facts:
    """The facts of a page's digests, as many as a message has room for. size: bytes on the wire."""

    by_digest: dict[Digest, ObservedManifest] = field(default_factory=dict)
    size: int = 0
    _expanded: set[Digest] = field(default_factory=set)

    def add(self, seen: SeenPage, tag: SeenTag) -> None:
        """Add the facts of what the tag points to, all or none.

        Raises the TallymanError for which some were not read, or PermanentError where they do not fit.
        """
        if tag.digest in self._expanded or not (tag.parsed or tag.told):
            return
        told = expand(tag.digest, tag.parsed, seen.manifests, seen.configs) if tag.parsed else tag.told
        new = [manifest for manifest in told if tells_more(manifest, self.by_digest.get(manifest.digest))]
        size = self.size + sum(len(manifest.model_dump_json()) for manifest in new)
        if size > FACTS_BYTES:
            raise PermanentError(
                "The manifests behind this page's tags are more than one message holds: load again for the rest.",
                reason=REASON_TOO_MANY_FACTS,
            )
        self.by_digest |= {manifest.digest: manifest for manifest in new}
        self.size = size
        self._expanded.add(tag.digest)
