"""Readings: how the names of a tag list become numbered pages, of which exactly one is the last. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.messages.model import Failure, Reading
from shared.messages.repository_found import RepositoryFound, TagsCursor
from shared.messages.tags_found import FoundTag, TagsFound

TAGS_PER_PAGE: Final = 100


@dataclass
class Leg:
    """One working of a message: the pages that it makes, numbered on from where the reading stood.

    leg: made anew for each working, so that the pages of two workings never mix.  page: the next page's number.
    made: pages so far.  owed: requests spent, and not told on a page yet.
    """

    found: RepositoryFound
    reading: str
    leg: str
    follows: str | None = None
    page: int = 0
    made: int = 0
    owed: int = 0
    _seen: set[str] = field(default_factory=set)

    def fresh(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those names that this leg has not seen, each once: of a name given twice the first counts."""
        new = tuple(name for name in dict.fromkeys(names) if name not in self._seen)
        self._seen.update(new)
        return new

    def pages(self, names: Sequence[str], *, last: bool) -> Iterator[TagsFound]:
        """Yield the names in pages; with `last` the last page closes the reading, empty if there are no names."""
        for start in range(0, max(len(names), int(last)), TAGS_PER_PAGE):
            end = start + TAGS_PER_PAGE
            yield self._page(names[start:end], last=last and end >= len(names))

    def closed(self, why: Failure) -> TagsFound:
        """Return the page that closes a reading which did not come whole: it proves nothing absent."""
        page = self._page((), last=True)
        return page.model_copy(update={"complete": False, "failures": (why,)})

    def continuation(self, cursor: str) -> RepositoryFound:
        """Return the message that goes on with this reading; its pages name this leg as the one they follow."""
        cut = TagsCursor(reading=self.reading, follows=self.leg, after=cursor, page=self.page)
        return self.found.model_copy(update={"continues": cut})

    def _page(self, names: Iterable[str], *, last: bool) -> TagsFound:
        reading = Reading(id=self.reading, leg=self.leg, follows=self.follows, page=self.page, last=last)
        requests, self.owed = self.owed, 0
        self.page += 1
        self.made += 1
        return TagsFound(
            context=self.found.context,
            repository=self.found.repository,
            reading=reading,
            tags=tuple(FoundTag(name=name) for name in names),
            requests=requests,
        )


def leg_of(found: RepositoryFound, fresh_id: str) -> Leg:
    """Return a new leg: of the reading that the message continues, or the first of a new one.

    fresh_id: random, never used before.
    """
    if found.continues is None:
        return Leg(found, reading=fresh_id, leg=fresh_id)
    at = found.continues
    return Leg(found, reading=at.reading, leg=fresh_id, follows=at.follows, page=at.page)
