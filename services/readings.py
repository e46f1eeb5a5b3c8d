"""Readings: how a repository's tags become numbered pages, of which exactly one is the last. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from shared.messages.images_observed import ObservedManifest
from shared.messages.model import Failure, Reading, ScanContext
from shared.messages.repository_found import TagsCursor
from shared.messages.tags_found import FoundTag, TagsFound
from shared.oci.digest import Digest

T = TypeVar("T")

TAGS_PER_PAGE: Final = 100

NAMES_OUT_PER_PAGE: Final = 1000
"""Names of tags out of scope that a page carries beside its tags."""

TOLD_BYTES: Final = 4 * 1024 * 1024
"""Facts that one page carries, half of what a message may hold; what is beyond is left for the manifester to read."""


@dataclass
class Leg:
    """One working of a message: the pages that it makes, numbered on from where the reading stood.

    leg: made anew for each working, so that the pages of two workings never mix.  page: the next page's number.
    made: pages so far.  owed: requests spent, and not told on a page yet.
    """

    context: ScanContext
    repository: str
    reading: str
    leg: str
    follows: str | None = None
    page: int = 0
    made: int = 0
    owed: int = 0
    _seen: set[str] = field(default_factory=set)

    def fresh(self, tags: Iterable[FoundTag]) -> tuple[FoundTag, ...]:
        """Return those tags that this leg has not seen, each once: of a name given twice the first counts."""
        new = {tag.name: tag for tag in reversed(tuple(tags)) if tag.name not in self._seen}
        self._seen.update(new)
        return tuple(reversed(new.values()))

    def pages(
        self, tags: Sequence[FoundTag], told: Iterable[ObservedManifest] = (), *, last: bool, out: Sequence[str] = ()
    ) -> Iterator[TagsFound]:
        """Yield the tags in pages, each with what was told of its own; with `last` the last page closes the reading.

        out: names of listed tags that are out of scope.
        """
        facts = {manifest.digest: manifest for manifest in told}
        needed = max(-(-len(tags) // TAGS_PER_PAGE), -(-len(out) // NAMES_OUT_PER_PAGE), int(last))
        for number in range(needed):
            page = self._page(_part(tags, number, TAGS_PER_PAGE), facts, last=last and number == needed - 1)
            left_out = tuple(_part(out, number, NAMES_OUT_PER_PAGE))
            yield page.model_copy(update={"out_of_scope": left_out}) if left_out else page

    def closed(self, why: Failure) -> TagsFound:
        """Return the page that closes a reading which did not come whole: it proves nothing absent."""
        return self._page((), {}, last=True).model_copy(update={"complete": False, "failures": (why,)})

    def cut(self, cursor: str) -> TagsCursor:
        """Return where the reading goes on: the pages there name this leg as the one they follow."""
        return TagsCursor(reading=self.reading, follows=self.leg, after=cursor, page=self.page)

    def _page(self, tags: Sequence[FoundTag], facts: Mapping[Digest, ObservedManifest], *, last: bool) -> TagsFound:
        reading = Reading(id=self.reading, leg=self.leg, follows=self.follows, page=self.page, last=last)
        requests, self.owed = self.owed, 0
        self.page += 1
        self.made += 1
        return TagsFound(
            context=self.context,
            repository=self.repository,
            reading=reading,
            tags=tuple(tags),
            told=told_of(tags, facts),
            requests=requests,
        )


def _part(things: Sequence[T], number: int, each: int) -> Sequence[T]:
    return things[number * each : (number + 1) * each]


def first_leg(context: ScanContext, repository: str, fresh_id: str) -> Leg:
    """Return the first leg of a new reading.  fresh_id: random, never used before."""
    return Leg(context, repository, reading=fresh_id, leg=fresh_id)


def next_leg(context: ScanContext, repository: str, at: TagsCursor, fresh_id: str) -> Leg:
    """Return a leg that goes on with a reading."""
    return Leg(context, repository, reading=at.reading, leg=fresh_id, follows=at.follows, page=at.page)


def told_of(
    tags: Iterable[FoundTag], facts: Mapping[Digest, ObservedManifest], room: int = TOLD_BYTES
) -> tuple[ObservedManifest, ...]:
    """Return the facts of what these tags point to, an index with all its members or not at all.

    room: bytes on the wire that they may take.
    """
    chosen: dict[Digest, ObservedManifest] = {}
    for tag in tags:
        new = [manifest for manifest in family_of(tag.digest, facts) if manifest.digest not in chosen]
        room -= sum(len(manifest.model_dump_json()) for manifest in new)
        if room < 0:
            break
        chosen |= {manifest.digest: manifest for manifest in new}
    return tuple(chosen.values())


def family_of(digest: Digest | None, facts: Mapping[Digest, ObservedManifest]) -> tuple[ObservedManifest, ...]:
    """Return the facts of a digest and, of an index, those of all members; () where any of them is not told."""
    head = facts.get(digest) if digest else None
    if head is None:
        return ()
    members = tuple(facts[child.digest] for child in head.children if child.digest in facts)
    return (head, *members) if len(members) == len(head.children) else ()
