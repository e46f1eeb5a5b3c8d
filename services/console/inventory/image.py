"""One image: its tags now and before, what it is part of, and where else the same digest is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import PermanentError
from shared.oci.digest import Digest
from shared.store.store import Store

Row = dict[str, Any]

_HERE: Final = "registry = {registry:String} AND repository = {repository:String}"


class NoSuchImage(PermanentError):  # says what has happened
    """No such image was ever seen there."""

    def __init__(self, repository: str, digest: Digest) -> None:
        super().__init__(f"No image {digest} was ever seen in {repository[:200]}.", reason="no_such_image")


@dataclass(frozen=True)
class ImageTold:
    """image: its row.  tags: that reach it now.  moves: of tags to and from it.  siblings: of its indexes.

    elsewhere: the places that have it now, others than this.
    """

    image: Row
    tags: list[str]
    moves: list[Row]
    siblings: list[Row]
    elsewhere: list[Row]


async def image_told(
    store: Store, registry: str, repository: str, digest: Digest, registries: Iterable[str]
) -> ImageTold:
    """Return all that is known of an image.  registries: those that are connected. Raises NoSuchImage."""
    place = {"registry": registry, "repository": repository, "digest": digest.hex}
    rows = await store.query(
        f"SELECT *, lower(hex(digest)) AS hex_digest FROM images FINAL WHERE {_HERE} "
        "AND digest = toFixedString(unhex({digest:String}), 32)",
        place,
    )
    if not rows:
        raise NoSuchImage(repository, digest)
    return ImageTold(
        rows[0],
        await tags_reaching(store, registry, repository, digest),
        await _moves(store, place),
        await _siblings(store, place),
        await _elsewhere(store, place, registries),
    )


async def tags_reaching(store: Store, registry: str, repository: str, digest: Digest) -> list[str]:
    """Return the tags that reach an image now, straight or through an index; the first 500."""
    place = {"registry": registry, "repository": repository, "digest": digest.hex}
    rows = await store.query(
        f"""
        WITH toFixedString(unhex({{digest:String}}), 32) AS wanted
        SELECT DISTINCT tag FROM tags FINAL
        WHERE {_HERE} AND present AND (digest = wanted OR digest IN (
            SELECT `index` FROM index_children FINAL WHERE {_HERE} AND present AND child = wanted
        ))
        ORDER BY tag LIMIT 500
        """,
        place,
    )
    return [row["tag"] for row in rows]


async def _moves(store: Store, place: Row) -> list[Row]:
    return await store.query(
        f"""
        WITH toFixedString(unhex({{digest:String}}), 32) AS wanted,
            (SELECT groupArray(`index`) FROM index_children FINAL WHERE {_HERE} AND child = wanted) AS indexes
        SELECT tag, moved_at, (digest = wanted OR has(indexes, digest)) AS came
        FROM tag_history FINAL
        WHERE {_HERE} AND (digest = wanted OR previous = wanted OR has(indexes, digest) OR has(indexes, previous))
        ORDER BY moved_at DESC, tag LIMIT 100
        """,
        place,
    )


async def _siblings(store: Store, place: Row) -> list[Row]:
    return await store.query(
        f"""
        WITH toFixedString(unhex({{digest:String}}), 32) AS wanted
        SELECT lower(hex(`index`)) AS index_digest, lower(hex(child)) AS child_digest, os, architecture, variant,
            os_version
        FROM index_children FINAL
        WHERE {_HERE} AND present AND `index` IN (
            SELECT `index` FROM index_children FINAL WHERE {_HERE} AND present AND child = wanted
        )
        ORDER BY index_digest, os, architecture, variant LIMIT 200
        """,
        place,
    )


async def _elsewhere(store: Store, place: Row, registries: Iterable[str]) -> list[Row]:
    return await store.query(
        """
        SELECT registry, repository, first_seen FROM images FINAL
        WHERE digest = toFixedString(unhex({digest:String}), 32) AND present
            AND registry IN {registries:Array(String)}
            AND (registry, repository) != ({registry:String}, {repository:String})
        ORDER BY registry, repository LIMIT 200
        """,
        {**place, "registries": list(registries)},
    )
