"""Which message makes a reading whole: fixed by the log, whoever works it and however often. Pure."""

from collections.abc import Iterable, Mapping

from shared.store.rows import ListingPageRow

Pages = Mapping[tuple[str, int], ListingPageRow]


def completed_by(pages: Iterable[ListingPageRow], offset: int) -> list[ListingPageRow] | None:
    """Return the chain of pages, in order, that the message at `offset` completes; None when it completes none.

    pages: the staged pages of one reading, of each (leg, page) the copy with the lowest offset.  A message sees
    only pages at offsets not above its own, so the completing one is the highest offset of its chain.
    """
    visible = {(row.leg, row.page): row for row in pages if row.offset <= offset}
    for row in visible.values():
        if row.last:
            chain = _chain(visible, row)
            if chain and max(page.offset for page in chain) == offset:
                return chain
    return None


def _chain(pages: Pages, last: ListingPageRow) -> list[ListingPageRow] | None:
    """Return the pages from 0 to `last`, going back from leg to leg, or None where one is missing."""
    chain = [last]
    while chain[-1].page > 0:
        at = chain[-1]
        before = pages.get((at.leg, at.page - 1)) or pages.get((at.follows, at.page - 1))
        if before is None:
            return None
        chain.append(before)
    return chain[::-1]
