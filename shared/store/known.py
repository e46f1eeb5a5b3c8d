"""What need not be asked of a registry again."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from shared.oci.digest import Digest
from shared.store.engine import Engine
from shared.store.keys import Keys
from shared.store.rows import ConfigRow, ImageRow, TagRow
from shared.store.sink_reads import rows_of

# OCI distribution-spec. A registry may tell longer ones: those are asked for anew.
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


Tag = tuple[str, str, str]
Manifest = tuple[str, str, Digest]
Config = tuple[str, Digest]


async def known_tags(engine: Engine, keys: Collection[Tag]) -> dict[Tag, Digest]:
    """Return the digests of those of (registry, repository, tag) that are present.

    All that a reading would tell of them is stored too: the sink inserts a decision's configs, children and images
    before its tags, each table's rows as one block.
    """
    wanted = Keys(
        {"registry": str, "repository": str, "tag": str}, [key for key in keys if len(key[2]) <= _LONGEST_TAG]
    )
    rows = await rows_of(engine, TagRow, wanted)
    return {(row.registry, row.repository, row.tag): row.digest for row in rows if row.present}


async def known_manifests(engine: Engine, keys: Collection[Manifest]) -> dict[Manifest, bool]:
    """Return those of (registry, repository, digest) that are stored: True where reading them would tell no more.

    Not so an image that only its index told of: its own manifest tells its size.
    """
    rows = await rows_of(engine, ImageRow, Keys({"registry": str, "repository": str, "digest": Digest}, keys))
    return {
        (row.registry, row.repository, row.digest): row.kind == "index" or row.size_bytes is not None for row in rows
    }


async def known_configs(engine: Engine, keys: Collection[Config]) -> dict[Config, ConfigRow]:
    """Return what the stored ones of (registry, digest) told."""
    rows = await rows_of(engine, ConfigRow, Keys({"registry": str, "digest": Digest}, keys))
    return {(row.registry, row.digest): row for row in rows}
