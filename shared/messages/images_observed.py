"""`images.observed`: what one page of tags led to, or that a repository is absent."""

from typing import Literal

from shared.messages.model import Failure, Message, Moment, Name, Reading, ScanContext, Shape
from shared.oci.digest import Digest
from shared.oci.platform import Platform

ManifestKind = Literal["image", "index", "artifact"]


class ObservedTag(Shape):
    """A tag and the digest it points to."""

    name: Name
    digest: Digest


class ObservedChild(Shape):
    """A member of an index (members of nested indexes included), with the platform the index tells."""

    digest: Digest
    platform: Platform


class ObservedManifest(Shape):
    """One manifest whose facts were read: an image, an index, or another artifact.

    size_bytes: config and layers together, None where asking would cost a request.
    children: of an index; each is an ObservedManifest of its own in the same message.
    """

    digest: Digest
    kind: ManifestKind
    media_type: str
    artifact_type: str = ""
    platform: Platform = Platform()
    size_bytes: int | None = None
    created: Moment | None = None
    config: Digest | None = None
    children: tuple[ObservedChild, ...] = ()


class ImagesObserved(Message):
    """One page of a reading (`reading` set), or a repository not in a complete catalog (`absent`).

    tags: those whose digest was got.  failed: listed, digest not got; `what` is the tag.
    gone: listed, then MANIFEST_UNKNOWN twice.  manifests: facts of digests the store did not know.
    out_of_scope: listed, and left out by the connection's filters.
    complete: False when the tag list could not be read whole.  failures: reasons not of one tag.
    """

    context: ScanContext
    repository: Name
    reading: Reading | None = None
    absent: bool = False
    tags: tuple[ObservedTag, ...] = ()
    failed: tuple[Failure, ...] = ()
    gone: tuple[Name, ...] = ()
    out_of_scope: tuple[Name, ...] = ()
    manifests: tuple[ObservedManifest, ...] = ()
    complete: bool = True
    failures: tuple[Failure, ...] = ()
    requests: int = 0
    observed_at: Moment
