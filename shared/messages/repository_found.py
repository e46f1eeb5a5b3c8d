"""`repository.found`: one repository of one scan is to be listed."""

from shared.messages.model import Message, Name, ScanContext, Shape


class TagsCursor(Shape):
    """Where a long tag list goes on.  follows: the leg that this continues.  page: the next page's number."""

    reading: str
    follows: str
    after: str
    page: int


class RepositoryFound(Message):
    """One repository of one scan; with `tag`, only that tag; with `continues`, from that cursor on."""

    context: ScanContext
    repository: Name
    tag: Name | None = None
    continues: TagsCursor | None = None
