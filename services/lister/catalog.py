"""The catalog as one message tells it: the answers' names in numbered pages, closed once, or gone on with. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from shared.messages.model import ScanContext
from shared.messages.scan_progressed import CatalogPage
from shared.messages.scan_requested import CatalogCursor, ScanRequested
from shared.registry.dialect import RepositoriesPage

ANSWERS_PER_MESSAGE: Final = 5
NAMES_PER_MESSAGE: Final = 500
"""A message ends, and a continuation goes on, after so many of the registry's answers or of their names."""

NAMES_PER_PAGE: Final = 1000
"""Names told in one catalog page: a registry that gives all it has at once must not make a message too large."""


@dataclass
class CatalogDraft:
    """The catalog as far as this message has told it.

    page: the next page's number.  complete: nothing was left unread so far.  proves: see CatalogPage.
    """

    request: ScanRequested
    proves: bool
    answers: int = 0
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page = first_page(self.request)
        self.complete = self.request.continues.complete if self.request.continues else True

    @property
    def is_long(self) -> bool:
        """True when it is time for a continuation."""
        return self.answers >= ANSWERS_PER_MESSAGE or len(self.seen) >= NAMES_PER_MESSAGE

    def pages(self, answer: RepositoriesPage, requests: int) -> Iterator[CatalogPage]:
        """Yield an answer's new names in pages, at least one."""
        named = dict.fromkeys((*answer.names, *(listing.repository for listing in answer.listings)))
        names = [name for name in named if name not in self.seen]
        self.seen.update(names)
        self.answers += 1
        self.complete = self.complete and not answer.failures
        failures = answer.failures
        for start in range(0, max(1, len(names)), NAMES_PER_PAGE):
            part = tuple(names[start : start + NAMES_PER_PAGE])
            yield self._page(names=part, failures=failures, requests=requests)
            failures, requests = (), 0

    def closed(self, requests: int) -> CatalogPage:
        """Return the page that closes the catalog, once all its names are told."""
        return self._page(last=True, requests=requests)

    def continuation(self, context: ScanContext, cursor: str) -> ScanRequested:
        """Return the message that goes on with this catalog."""
        at = CatalogCursor(scan=context.scan, after=cursor, page=self.page, complete=self.complete)
        return self.request.model_copy(update={"continues": at})

    def _page(self, *, last: bool = False, **told: Any) -> CatalogPage:
        number, self.page = self.page, self.page + 1
        proves = self.proves and self.complete
        return CatalogPage(page=number, last=last, complete=self.complete, proves=proves, **told)


def first_page(request: ScanRequested) -> int:
    """Return the number of the first catalog page that the message makes."""
    return request.continues.page if request.continues else 0
