"""Sums over the inventory, and how it grew."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any, Final

from shared.store.store import Store

Row = dict[str, Any]
WEEK: Final = timedelta(days=7)


@dataclass(frozen=True)
class Numbers:
    """by_registry: by id, (repositories, tags, images).  by_architecture: images, the most first."""

    by_registry: dict[str, tuple[int, int, int]]
    by_architecture: dict[str, int]
    new_this_week: int
    removed_this_week: int

    def total(self, column: int) -> int:
        return sum(counts[column] for counts in self.by_registry.values())


async def numbers(store: Store, registries: Collection[str], now: datetime) -> Numbers:
    """Return the sums over these registries."""
    of = {"registries": list(registries), "since": (now - WEEK).replace(tzinfo=None)}
    images = await store.query(
        """
        SELECT registry, architecture, countIf(present) AS images,
            countIf(present AND first_seen >= {since:DateTime64(3)}) AS added,
            countIf(NOT present AND changed_at >= {since:DateTime64(3)}) AS removed
        FROM images FINAL WHERE kind = 'image' AND registry IN {registries:Array(String)}
        GROUP BY registry, architecture
        """,
        of,
    )
    tags = await store.query(
        """
        SELECT registry, sum(listed) AS repositories, sum(tagged) AS tags FROM (
            SELECT registry, 1 AS listed, 0 AS tagged FROM repositories FINAL
            WHERE present AND registry IN {registries:Array(String)}
            UNION ALL
            SELECT registry, 0 AS listed, 1 AS tagged FROM tags FINAL
            WHERE present AND registry IN {registries:Array(String)}
        ) GROUP BY registry
        """,
        of,
    )
    tagged = {row["registry"]: (row["repositories"], row["tags"]) for row in tags}
    by_registry: dict[str, tuple[int, int, int]] = {}
    by_architecture: dict[str, int] = {}
    for registry in registries:
        count = sum(row["images"] for row in images if row["registry"] == registry)
        by_registry[registry] = (*tagged.get(registry, (0, 0)), count)
    for row in images:
        if row["images"]:
            name = row["architecture"] or "not told"
            by_architecture[name] = by_architecture.get(name, 0) + row["images"]
    ordered = dict(sorted(by_architecture.items(), key=lambda pair: (-pair[1], pair[0])))
    return Numbers(by_registry, ordered, sum(row["added"] for row in images), sum(row["removed"] for row in images))


async def growth(store: Store, registries: Collection[str], now: datetime, days: int) -> list[tuple[date, int]]:
    """Return how many images were there at the end of each of the last days, today included.

    An image that was removed and came back counts from its first sight.
    """
    rows = await store.query(
        """
        SELECT day, sum(step) AS step FROM (
            SELECT toDate(first_seen) AS day, 1 AS step FROM images FINAL
            WHERE kind = 'image' AND registry IN {registries:Array(String)}
            UNION ALL
            SELECT toDate(changed_at) AS day, -1 AS step FROM images FINAL
            WHERE kind = 'image' AND NOT present AND registry IN {registries:Array(String)}
        ) GROUP BY day ORDER BY day
        """,
        {"registries": list(registries)},
    )
    steps = {row["day"]: int(row["step"]) for row in rows}
    first = now.date() - timedelta(days=days - 1)
    before = sum(step for day, step in steps.items() if day < first)
    shown = [first + timedelta(days=number) for number in range(days)]
    counts = accumulate((steps.get(day, 0) for day in shown), initial=before)
    return list(zip(shown, list(counts)[1:], strict=True))
