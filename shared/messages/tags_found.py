"""`tags.found`: one page (at most 100 tags) of a reading of a repository's tags."""

from shared.messages.images_observed import ObservedManifest
from shared.messages.model import Failure, Message, Moment, Name, Reading, ScanContext, Shape
from shared.oci.digest import Digest


class FoundTag(Shape):
    """A tag, with its digest where the listing told it already.

    media_type: of its manifest, where told.
    created: when the product says that it was pushed, where it says so; orders the tags of a repository by age.
    """

    name: Name
    digest: Digest | None = None
    media_type: str | None = None
    created: Moment | None = None


class TagsFound(Message):
    """One page of a reading.

    out_of_scope: names of listed tags that the connection's filters leave out.
    told: facts of manifests behind the page's tags, where the product told them; an index with all its members.
    complete: False when the tag list could not be read whole; such a reading proves nothing absent.
    failures: what of the tag list was not read.  requests: spent on this page so far.
    """

    context: ScanContext
    repository: Name
    reading: Reading
    tags: tuple[FoundTag, ...] = ()
    out_of_scope: tuple[Name, ...] = ()
    told: tuple[ObservedManifest, ...] = ()
    complete: bool = True
    failures: tuple[Failure, ...] = ()
    requests: int = 0
