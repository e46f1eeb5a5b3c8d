"""What need not be asked of a registry again."""

from collections.abc import Collection
from typing import Final

from shared.oci.digest import Digest
from shared.store.engine import Engine
from shared.store.keys import Keys
from shared.store.rows import ConfigRow, TagRow
from shared.store.sink_reads import rows_of

# OCI distribution-spec. A registry may tell longer ones, too long for many of them to stand in one query.
_LONGEST_TAG: Final = 128

Tag = tuple[str, str, str]
Config = tuple[str, Digest]


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


async def known_tags(engine: Engine, tags: Collection[Tag]) -> dict[Tag, Digest]:
    """Return (registry, repository, tag) → digest of the present ones.

    All that a reading would tell of them is stored too: the sink inserts a decision's configs, children and images
    before its tags, each table's rows as one block.
    """
    askable = sorted(key for key in tags if len(key[2]) <= _LONGEST_TAG)
    rows = await rows_of(engine, TagRow, Keys({"registry": str, "repository": str, "tag": str}, askable))
    return {(row.registry, row.repository, row.tag): row.digest for row in rows if row.present}


async def known_configs(engine: Engine, digests: Collection[Config]) -> dict[Config, ConfigRow]:
    """Return what the stored ones of these (registry, config digest) told."""
    keys = Keys({"registry": str, "digest": Digest}, digests)
    return {(row.registry, row.digest): row for row in await rows_of(engine, ConfigRow, keys)}
