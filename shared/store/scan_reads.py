"""What ends scans, and what numbers them."""

from dataclasses import dataclass
from datetime import datetime

from shared.store.columns import decode, names_of
from shared.store.engine import Engine
from shared.store.rows import ScanUnitRow


@dataclass(frozen=True)
class RunningScan:
    """A scan that has started and not ended.

    kind: "" where it was not kept.  repositories: a few of them; of a targeted one, all.
    """

    scan: int
    kind: str
    repositories: tuple[str, ...]


@dataclass(frozen=True)
class HeldBack:
    """Removals of a repository that wait for a person.  scan: the last that held them.  detail: how much it is."""

    repository: str
    scan: int
    detail: str
    at: datetime


async def held_back(engine: Engine, registry: str) -> list[HeldBack]:
    """Return what a fuse holds back of a registry, of which nothing newer was decided."""
    found = await engine.query(
        """
        SELECT held.repository, held.newest, held.detail, held.at FROM (
            SELECT repository, max(scan) AS newest,
                argMax(arrayFirst(why -> why.2 = 'held', outcome.8).3, scan) AS detail,
                argMax(outcome.9, scan) AS at
            FROM scan_outcomes WHERE registry = {registry:String} AND outcome.12 = 'held' GROUP BY repository
        ) AS held
        LEFT JOIN (
            SELECT repository, full FROM repositories FINAL WHERE registry = {registry:String}
        ) AS listed ON held.repository = listed.repository
        WHERE listed.full <= held.newest ORDER BY held.repository
        """,
        {"registry": registry},
    )
    return [HeldBack(*row) for row in found.rows]


async def scan_units(engine: Engine, registry: str, scan: int) -> list[ScanUnitRow]:
    """Return all that is known of a scan's steps, in the order of the log."""
    found = await engine.query(
        f"SELECT {names_of(ScanUnitRow)} FROM scan_units FINAL "
        "WHERE registry = {registry:String} AND scan = {scan:UInt64} ORDER BY `offset`, repository, state, page",
        {"registry": registry, "scan": scan},
    )
    return decode(ScanUnitRow, found.rows)


async def pages_stored(engine: Engine, registry: str, scan: int) -> int:
    """Return how many pages of a scan's readings are staged; the same page received twice counts once."""
    found = await engine.query(
        "SELECT count() FROM listing_pages FINAL WHERE registry = {registry:String} AND scan = {scan:UInt64}",
        {"registry": registry, "scan": scan},
    )
    return int(found.rows[0][0])


async def highest_scan(engine: Engine, registry: str) -> int:
    """Return the highest number of a scan of this registry, 0 where there was none."""
    found = await engine.query(
        """
        SELECT greatest(
            (SELECT max(scan) FROM outbox WHERE registry = {registry:String}),
            (SELECT max(scan) FROM scan_units WHERE registry = {registry:String}),
            (SELECT max(`full`) FROM repositories WHERE registry = {registry:String}),
            (SELECT max(version) FROM tags WHERE registry = {registry:String})
        )
        """,
        {"registry": registry},
    )
    return int(found.rows[0][0])


async def unfinished_scans(engine: Engine) -> list[tuple[str, int]]:
    """Return (registry, scan) of those started and not ended, oldest first."""
    found = await engine.query(
        """
        SELECT registry, scan FROM scan_units WHERE repository = ''
        GROUP BY registry, scan
        HAVING countIf(state = 'started') > 0 AND countIf(state = 'ended') = 0
        ORDER BY registry, scan
        """
    )
    return [(registry, scan) for registry, scan in found.rows]


async def first_load(engine: Engine, registry: str) -> int | None:
    """Return the registry's first full scan that ended with something read, None where there is none yet."""
    found = await engine.query(
        "SELECT scan FROM scan_units WHERE registry = {registry:String} AND repository = '' AND state = 'ended' "
        "AND kind = 'full' AND reason NOT IN ('failed', 'cancelled') ORDER BY scan LIMIT 1",
        {"registry": registry},
    )
    return int(found.rows[0][0]) if found.rows else None


@dataclass(frozen=True)
class Sweep:
    """A full load that has ended.

    changes: moves of tags that it found, which no hook had told: the drift.  hooks: scans that webhooks led to between
    the load before and it.
    """

    scan: int
    status: str
    changes: int
    hooks: int


async def sweeps(engine: Engine, registry: str, most: int) -> list[Sweep]:
    """Return the registry's last full loads that have ended, the newest first."""
    ended = await engine.query(
        "SELECT scan, any(reason) FROM scan_units WHERE registry = {registry:String} AND repository = '' "
        "AND state = 'ended' AND kind = 'full' GROUP BY scan ORDER BY scan DESC LIMIT {most:UInt32}",
        {"registry": registry, "most": most + 1},
    )
    if not ended.rows:
        return []
    since = {"registry": registry, "oldest": min(scan for scan, _ in ended.rows)}
    moved = await engine.query(
        "SELECT version, count() FROM tag_history FINAL WHERE registry = {registry:String} "
        "AND version >= {oldest:UInt64} GROUP BY version",
        since,
    )
    hooked = await engine.query(
        "SELECT DISTINCT scan FROM scan_units WHERE registry = {registry:String} AND repository = '' "
        "AND state = 'started' AND reason = 'webhook' AND scan > {oldest:UInt64}",
        since,
    )
    changes, hooks = dict(moved.rows), [scan for (scan,) in hooked.rows]
    before = [scan for scan, _ in ended.rows[1:]] + [0]
    told = [
        Sweep(scan, status, changes.get(scan, 0), sum(older < hook < scan for hook in hooks))
        for (scan, status), older in zip(ended.rows, before, strict=True)
    ]
    return told[:most]


async def running_scans(engine: Engine, registry: str) -> list[RunningScan]:
    """Return the registry's scans that have started and not ended, oldest first."""
    found = await engine.query(
        """
        SELECT scan, anyIf(kind, state = 'started'),
            groupUniqArrayIf(2)(repository, state = 'expected')
        FROM scan_units WHERE registry = {registry:String}
            AND scan IN (
                SELECT scan FROM scan_units WHERE registry = {registry:String} AND repository = ''
                GROUP BY scan HAVING countIf(state = 'started') > 0 AND countIf(state = 'ended') = 0
            )
        GROUP BY scan ORDER BY scan
        """,
        {"registry": registry},
    )
    return [RunningScan(scan, kind, tuple(names)) for scan, kind, names in found.rows]


async def is_scan_known(engine: Engine, registry: str, scan: int) -> bool:
    """Return whether a lister has taken the scan."""
    found = await engine.query(
        "SELECT count() FROM scan_units WHERE registry = {registry:String} AND scan = {scan:UInt64}",
        {"registry": registry, "scan": scan},
    )
    return bool(found.rows[0][0])


async def hook_waits(engine: Engine, registry: str, most: int) -> list[float]:
    """Return how long the last reads that webhooks led to took, from taken to ended, seconds, the newest first."""
    answer = await engine.query(
        """
        SELECT dateDiff('millisecond', minIf(at, state = 'started'), maxIf(at, state = 'ended')) / 1000
        FROM scan_units FINAL
        WHERE registry = {registry:String} AND repository = '' AND state IN ('started', 'ended')
        GROUP BY scan
        HAVING countIf(state = 'started' AND reason = 'webhook') > 0 AND countIf(state = 'ended') > 0
        ORDER BY scan DESC LIMIT {most:UInt32}
        """,
        {"registry": registry, "most": most},
    )
    return [float(seconds) for (seconds,) in answer.rows]
