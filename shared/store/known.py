"""What need not be asked of a registry again."""

from collections.abc import Collection

from shared.oci.digest import Digest
from shared.store.engine import Engine
from shared.store.keys import Keys
from shared.store.rows import ConfigRow
from shared.store.sink_reads import rows_of


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


async def known_tags(engine: Engine, registry: str, repository: str, tags: Collection[str]) -> dict[str, Digest]:
    """Return tag → digest of the present ones of which everything is stored that a reading would tell.

    That is: an image with its platform, an artifact, or an index whose children are stored, each a row of its own.
    """
    if not tags:
        return {}
    found = await engine.query(
        """
        WITH
        wanted AS (
            SELECT tag, digest FROM tags FINAL
            WHERE registry = {registry:String} AND repository = {repository:String}
                AND tag IN (SELECT tag FROM keys) AND present
        ),
        children AS (
            SELECT `index`, child FROM index_children FINAL
            WHERE registry = {registry:String} AND repository = {repository:String}
                AND `index` IN (SELECT digest FROM wanted)
        ),
        stored AS (
            SELECT digest, kind, architecture FROM images FINAL
            WHERE registry = {registry:String} AND repository = {repository:String}
                AND digest IN (SELECT digest FROM wanted UNION ALL SELECT child FROM children)
        )
        SELECT tag, digest FROM wanted
        WHERE digest IN (SELECT digest FROM stored WHERE kind = 'artifact' OR kind = 'image' AND architecture != '')
            OR digest IN (SELECT digest FROM stored WHERE kind = 'index')
                AND digest IN (SELECT `index` FROM children)
                AND digest NOT IN (SELECT `index` FROM children WHERE child NOT IN (SELECT digest FROM stored))
        """,
        {"registry": registry, "repository": repository},
        Keys({"tag": str}, [(tag,) for tag in tags]),
    )
    return {tag: Digest.from_raw(digest) for tag, digest in found.rows}


async def known_configs(engine: Engine, registry: str, digests: Collection[Digest]) -> dict[Digest, ConfigRow]:
    """Return what the stored ones of these configs told."""
    keys = Keys({"registry": str, "digest": Digest}, [(registry, digest) for digest in digests])
    return {row.digest: row for row in await rows_of(engine, ConfigRow, keys)}
