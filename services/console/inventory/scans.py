"""Scans and what they could not read."""

from collections.abc import Iterable
from typing import Any, Final

from services.console.inventory.cursor import Order
from shared.store.store import Store

Row = dict[str, Any]

NEWEST: Final = Order(
    "-scan", (("steps.started_ms", "Int64"), ("steps.scan", "Int64"), ("steps.registry", "String")), True
)

_STEPS: Final = """
    SELECT
        rows.registry AS registry,
        rows.scan AS scan,
        anyIf(rows.reason, rows.state = 'started') AS reason,
        anyIf(rows.kind, rows.state = 'started') AS kind,
        if(countIf(rows.state = 'ended') = 0, 'running', anyIf(rows.reason, rows.state = 'ended')) AS status,
        if(countIf(rows.state = 'started') = 0, min(rows.at), minIf(rows.at, rows.state = 'started')) AS started_at,
        toUnixTimestamp64Milli(started_at) AS started_ms,
        if(countIf(rows.state = 'ended') = 0, NULL, minIf(rows.at, rows.state = 'ended')) AS completed_at,
        uniqExactIf(rows.repository, rows.state = 'expected') AS repositories,
        sumIf(length(rows.failures), rows.state = 'catalog') AS catalog_failed,
        sumIf(rows.requests, rows.state = 'catalog') AS catalog_requests
    FROM (SELECT * FROM scan_units FINAL WHERE registry IN {registries:Array(String)} AND {of_scan}) AS rows
    GROUP BY rows.registry, rows.scan
    HAVING max(rows.repository != '' OR rows.state != 'ended')
"""


def _steps(of_scan: str = "true") -> str:
    """Return the SELECT of scans as their steps tell them."""
    return _STEPS.replace("{of_scan}", of_scan)


_UNITS: Final = """
    SELECT registry, scan, count() AS repositories_done, sum(outcome.1) AS tags, sum(outcome.2) AS images,
        sum(outcome.3) AS artifacts, sum(outcome.4) AS discovered, sum(outcome.5) AS removed,
        sum(outcome.6) AS failed, sum(outcome.7) AS requests
    FROM scan_outcomes WHERE (registry, scan) IN {scans:Array(Tuple(String, UInt64))}
    GROUP BY registry, scan
"""
_COUNTS: Final = ("repositories_done", "tags", "images", "artifacts", "discovered", "removed", "failed", "requests")


async def scans_page(
    store: Store, registries: Iterable[str], status: str | None, cursor: str | None, limit: int
) -> tuple[list[Row], str | None]:
    """Return scans, the newest first, and the cursor of the next page."""
    after, more = NEWEST.after(cursor)
    of_status = "steps.status = {status:String}" if status else "true"
    rows = await store.query(
        f"SELECT steps.*, {NEWEST.key} AS sort_key FROM ({_steps()}) AS steps WHERE {after} AND {of_status} "
        f"ORDER BY {NEWEST.clause} LIMIT {limit + 1}",
        {"registries": list(registries), **({"status": status} if status else {}), **more},
    )
    page = [_named(row) for row in rows[:limit]]
    following = NEWEST.cursor(page[-1]["sort_key"]) if len(rows) > limit else None
    return await _with_counts(store, page), following


async def one_scan(store: Store, registry: str, scan: int) -> Row | None:
    """Return a scan, None where there is none of that number."""
    rows = await store.query(
        f"SELECT steps.* FROM ({_steps('scan = {scan:UInt64}')}) AS steps",
        {"registries": [registry], "scan": scan},
    )
    found = await _with_counts(store, [_named(row) for row in rows])
    return found[0] if found else None


async def last_scans(store: Store, registries: Iterable[str], *, of_any_kind: bool = False) -> dict[str, Row]:
    """Return the newest full scan of each registry that had one, or the newest of any kind."""
    kinds = "true" if of_any_kind else "steps.kind IN ('full', '')"
    rows = await store.query(
        f"SELECT steps.* FROM ({_steps()}) AS steps WHERE {kinds} ORDER BY steps.scan DESC LIMIT 1 BY steps.registry",
        {"registries": list(registries)},
    )
    return {row["registry"]: row for row in await _with_counts(store, [_named(row) for row in rows])}


async def failures(store: Store, registry: str, scan: int, limit: int) -> list[Row]:
    """Return what a scan could not read, by repository."""
    return await store.query(
        f"""
        SELECT repository, failure.1 AS what, failure.2 AS reason, failure.3 AS detail, at FROM (
            SELECT repository, arrayJoin(outcome.8) AS failure, outcome.9 AS at FROM scan_outcomes
            WHERE registry = {{registry:String}} AND scan = {{scan:UInt64}}
            UNION ALL
            SELECT repository, arrayJoin(failures) AS failure, at FROM scan_units FINAL
            WHERE registry = {{registry:String}} AND scan = {{scan:UInt64}} AND repository = ''
        )
        WHERE failure.2 NOT IN ('filtered', 'scan_cancelled')
        ORDER BY repository, what LIMIT {limit}
        """,
        {"registry": registry, "scan": scan},
    )


def _named(row: Row) -> Row:
    """Return the row with its columns' bare names: the engine may put the table's before them."""
    return {name.removeprefix("steps."): value for name, value in row.items()}


async def _with_counts(store: Store, page: list[Row]) -> list[Row]:
    keys = [(row["registry"], row["scan"]) for row in page]
    counted = await store.query(_UNITS, {"scans": keys}) if keys else []
    by_scan = {(row["registry"], row["scan"]): row for row in counted}
    for row in page:
        units = by_scan.get((row["registry"], row["scan"]), {})
        row.update({name: units.get(name, 0) for name in _COUNTS})
        row["failed"] += row.pop("catalog_failed")
        row["requests"] += row.pop("catalog_requests")
    return page
