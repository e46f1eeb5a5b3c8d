"""What need not be asked of a registry again."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from shared.oci.digest import Digest
from shared.store.engine import Engine
from shared.store.keys import Keys
from shared.store.rows import ConfigRow, ImageRow
from shared.store.sink_reads import rows_of

# OCI distribution-spec. A registry may tell longer ones; of those no page would fit into a parameter (128 KiB).
_LONGEST_TAG: Final = 128


async def known_repositories(engine: Engine, registry: str) -> set[str]:
    """Return the repositories whose last listing found them, or that have any present tag or image."""
    found = await engine.query(
        """
        SELECT repository FROM repositories FINAL WHERE registry = {registry:String} AND present
        UNION DISTINCT
        SELECT repository FROM tags FINAL WHERE registry = {registry:String} AND present
        UNION DISTINCT
        SELECT repository FROM images FINAL WHERE registry = {registry:String} AND present
        """,
        {"registry": registry},
    )
    return {repository for (repository,) in found.rows}


@dataclass(frozen=True)
class Place:
    """Where a registry's messages lie."""

    slot: int
    shards: int


async def place_of(engine: Engine, registry: str) -> Place | None:
    """Return where a registry's messages lay when it was last connected, None where that was not kept."""
    found = await engine.query(
        "SELECT slot, shards FROM registries WHERE registry = {registry:String} AND NOT deleted AND shards > 0 "
        "ORDER BY version DESC LIMIT 1",
        {"registry": registry},
    )
    return Place(*found.rows[0]) if found.rows else None


async def forgotten(engine: Engine, registry: str) -> set[int]:
    """Return the partitions that have told that nothing of a deleted registry is present any more."""
    found = await engine.query(
        "SELECT partition FROM forgotten WHERE registry = {registry:String}", {"registry": registry}
    )
    return {partition for (partition,) in found.rows}


async def known_tags(engine: Engine, registry: str, repository: str, tags: Collection[str]) -> dict[str, Digest]:
    """Return tag → digest of the present ones; tags: at most a page of 100.

    All that a reading would tell of them is stored too: the sink inserts a decision's configs, children and images
    before its tags, each table's rows as one block.
    """
    askable = sorted(tag for tag in tags if len(tag) <= _LONGEST_TAG)
    if not askable:
        return {}
    found = await engine.query(
        """
        SELECT tag, digest FROM tags FINAL
        PREWHERE registry = {registry:String} AND repository = {repository:String} AND tag IN {tags:Array(String)}
        WHERE present
        """,
        {"registry": registry, "repository": repository, "tags": askable},
    )
    return {tag: Digest.from_raw(digest) for tag, digest in found.rows}


async def known_digests(engine: Engine, registry: str, repository: str, digests: Collection[Digest]) -> set[Digest]:
    """Return those of a repository's digests of which all is stored that reading them would tell; at most a page's.

    Not so an image that only its index told of: its own manifest tells its size.
    """
    keys = Keys({"registry": str, "repository": str, "digest": Digest}, [(registry, repository, d) for d in digests])
    rows = await rows_of(engine, ImageRow, keys)
    return {row.digest for row in rows if row.kind == "index" or row.size_bytes is not None}


async def known_configs(engine: Engine, registry: str, digests: Collection[Digest]) -> dict[Digest, ConfigRow]:
    """Return what the stored ones of these configs told."""
    keys = Keys({"registry": str, "digest": Digest}, [(registry, digest) for digest in digests])
    return {row.digest: row for row in await rows_of(engine, ConfigRow, keys)}
