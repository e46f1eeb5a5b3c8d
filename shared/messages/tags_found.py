"""`tags.found`: one page (at most 100 tags) of a reading of a repository's tags."""

from shared.messages.model import Failure, Message, Name, Reading, ScanContext, Shape
from shared.oci.digest import Digest


class FoundTag(Shape):
    """A tag, with its digest where the listing told it already."""

    name: Name
    digest: Digest | None = None


class TagsFound(Message):
    """One page of a reading.

    complete: False when the tag list could not be read whole; such a reading proves nothing absent.
    failures: what of the tag list was not read.  requests: spent on this page so far.
    """

    context: ScanContext
    repository: Name
    reading: Reading
    tags: tuple[FoundTag, ...] = ()
    complete: bool = True
    failures: tuple[Failure, ...] = ()
    requests: int = 0
