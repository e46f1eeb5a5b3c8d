"""What one whole reading of a repository saw, put together from its pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from shared.messages.images_observed import ImagesObserved, ObservedManifest
from shared.messages.model import Failure, ScanContext, ScanKind
from shared.oci.digest import Digest

REASON_FACTS_MISSING: Final = "facts_missing"
REASON_HELD: Final = "held"


@dataclass(frozen=True)
class Observation:
    """A reading, whole.

    tags: tag → digest.  failed: listed, digest not got.  gone: listed, then MANIFEST_UNKNOWN twice.
    out_of_scope: listed, and left out: neither present nor absent, what is stored of them stays as it is.
    complete: the whole tag list came.  manifests: facts of digests, by digest.
    Nothing but (complete and not failed) proves an image absent; nothing but complete proves a tag absent.
    """

    context: ScanContext
    repository: str
    observed_at: datetime
    tags: Mapping[str, Digest] = field(default_factory=dict)
    failed: Mapping[str, Failure] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    out_of_scope: frozenset[str] = frozenset()
    complete: bool = True
    absent: bool = False
    manifests: Mapping[Digest, ObservedManifest] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    requests: int = 0

    @property
    def of_one_tag(self) -> bool:
        """True for a one-tag scan: it proves only its own tag."""
        return self.context.kind is ScanKind.TAG

    def without_proof(self, held: Failure) -> "Observation":
        """Return the same sights, proving nothing absent: what a fuse leaves of a listing."""
        unknown = {tag: Failure(what=tag, reason=REASON_HELD) for tag in self.gone}
        return replace(
            self,
            complete=False,
            failed={**self.failed, **unknown},
            gone=frozenset(),
            failures=(*self.failures, held),
        )

    def without_facts_of(self, tags: Sequence[str]) -> "Observation":
        """Return the observation with these tags failed: nobody knows the facts of their digests."""
        if not tags:
            return self
        missing = {
            tag: Failure(what=tag, reason=REASON_FACTS_MISSING, detail=f"No facts are stored of {self.tags[tag]}.")
            for tag in tags
        }
        rest = {tag: digest for tag, digest in self.tags.items() if tag not in missing}
        return replace(self, tags=rest, failed={**self.failed, **missing})


def observation_of(pages: Sequence[ImagesObserved]) -> Observation:
    """Return what these pages, the whole chain of a reading in order, saw together."""
    first, newest = pages[0], pages[-1]
    tags = {tag.name: tag.digest for page in pages for tag in page.tags}
    return Observation(
        context=first.context,
        repository=first.repository,
        observed_at=newest.observed_at,
        tags=tags,
        failed={failure.what: failure for page in pages for failure in page.failed},
        gone=frozenset(name for page in pages for name in page.gone) - tags.keys(),
        out_of_scope=frozenset(name for page in pages for name in page.out_of_scope) - tags.keys(),
        complete=all(page.complete for page in pages),
        absent=first.absent,
        manifests=_richest(manifest for page in pages for manifest in page.manifests),
        failures=tuple(failure for page in pages for failure in page.failures),
        requests=sum(page.requests for page in pages),
    )


def _richest(manifests: Iterable[ObservedManifest]) -> dict[Digest, ObservedManifest]:
    """Return one manifest a digest: the one that tells its size, where a child was also read for itself."""
    best: dict[Digest, ObservedManifest] = {}
    for manifest in manifests:
        known = best.get(manifest.digest)
        if known is None or (known.size_bytes is None and manifest.size_bytes is not None):
            best[manifest.digest] = manifest
    return best
