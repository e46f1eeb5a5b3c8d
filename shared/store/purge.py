"""A registry's rows, deleted for good."""

from typing import Final

from shared.store.engine import Engine

TABLES: Final = (
    *("images", "tags", "tag_history", "index_children", "configs", "repositories"),
    *("outbox", "listing_pages", "scan_units", "registries", "forgotten"),
)
"""Every table that has rows of registries."""


async def purge(engine: Engine, registry: str) -> None:
    """Delete the registry's rows of every table, and return when they are gone."""
    for table in TABLES:
        await engine.command(
            f"ALTER TABLE {table} DELETE WHERE registry = {{registry:String}} SETTINGS mutations_sync = 2",
            {"registry": registry},
        )
