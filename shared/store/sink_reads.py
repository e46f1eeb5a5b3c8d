"""What the sink reads before it decides."""

import asyncio
from collections.abc import Collection
from typing import Final, TypeVar

from shared.oci.digest import Digest
from shared.store.columns import columns_of, decode, names_of
from shared.store.engine import Engine
from shared.store.keys import PLACE, Keys
from shared.store.rows import ImageRow, IndexChildRow, ListingPageRow, OutboxRow, RepositoryRow, Row, TagRow
from shared.store.state import RepositoryState

R = TypeVar("R", bound=Row)

Repository = tuple[str, str]
Scan = tuple[str, str, int]
Reading = tuple[str, str, str]

_REPOSITORY: Final = {"registry": str, "repository": str}


async def repository_states(engine: Engine, keys: Collection[Repository]) -> dict[Repository, RepositoryState]:
    """Return the state of each (registry, repository), an empty one where nothing is known."""
    wanted = Keys(_REPOSITORY, keys)
    listings, tags, images, children = await asyncio.gather(
        rows_of(engine, RepositoryRow, wanted),
        rows_of(engine, TagRow, wanted),
        rows_of(engine, ImageRow, wanted),
        rows_of(engine, IndexChildRow, wanted),
    )
    tags_of: dict[Repository, dict[str, TagRow]] = {key: {} for key in keys}
    images_of: dict[Repository, dict[Digest, ImageRow]] = {key: {} for key in keys}
    children_of: dict[Repository, dict[tuple[Digest, Digest], IndexChildRow]] = {key: {} for key in keys}
    for tag in tags:
        tags_of[tag.registry, tag.repository][tag.tag] = tag
    for image in images:
        images_of[image.registry, image.repository][image.digest] = image
    for child in children:
        children_of[child.registry, child.repository][child.index, child.child] = child
    listing_of = {(listing.registry, listing.repository): listing for listing in listings}
    return {key: _state(listing_of.get(key), tags_of[key], images_of[key], children_of[key]) for key in keys}


def _state(
    listing: RepositoryRow | None,
    tags: dict[str, TagRow],
    images: dict[Digest, ImageRow],
    children: dict[tuple[Digest, Digest], IndexChildRow],
) -> RepositoryState:
    if listing is None:
        return RepositoryState(tags=tags, images=images, children=children)
    return RepositoryState(listing.full, listing.present, listing.listed_at, tags, images, children)


async def decisions(engine: Engine, keys: Collection[Scan]) -> dict[Scan, OutboxRow]:
    """Return the decisions there are of these (registry, repository, scan)."""
    rows = await rows_of(engine, OutboxRow, Keys({**_REPOSITORY, "scan": int}, keys))
    return {(row.registry, row.repository, row.scan): row for row in rows}


async def listing_pages(engine: Engine, readings: Collection[Reading], bodies: bool) -> list[ListingPageRow]:
    """Return the staged pages of these (registry, repository, reading), in the order of the log."""
    body = "`body`" if bodies else "''"
    columns = ", ".join(body if c.name == "body" else f"`{c.name}`" for c in columns_of(ListingPageRow))
    rows = await rows_of(engine, ListingPageRow, Keys({**_REPOSITORY, "reading": str}, readings), columns)
    return sorted(rows, key=lambda row: row.offset)


async def rows_of(engine: Engine, row: type[R], keys: Keys, columns: str | None = None) -> list[R]:
    """Return the newest rows of a table whose columns of the keys' names are among the keys.

    The keys' columns are of the table's sorting key. So rows can be left out before FINAL compares them, and before
    the other columns are read: a decision is some thousand times as long as its key.
    """
    if not keys.rows:
        return []
    names = ", ".join(keys.columns)
    found = await engine.query(
        f"SELECT {columns or names_of(row)} FROM {row.TABLE} FINAL PREWHERE ({names}) IN {PLACE}",
        keys=keys,
    )
    return decode(row, found.rows)
