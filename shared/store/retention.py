"""How long history is kept: a TTL on the tables that hold it. What is present now lies in others, and has none.

The state tables keep their rows of what is gone, too: one that expired could bring an older row of its key back.
"""

import re
from contextlib import AbstractAsyncContextManager
from typing import Final

from shared.store.engine import Engine

_TTL: Final = {
    "tag_history": "toDateTime(moved_at) + INTERVAL {days} DAY DELETE",
    # That a scan has ended stays: it tells a registry's first load from those after it.
    "scan_units": "toDateTime(at) + INTERVAL {days} DAY DELETE WHERE NOT (repository = '' AND state = 'ended')",
}
_DAYS: Final = re.compile(r"toIntervalDay\((\d+)\)")


async def keep_history(engine: Engine, lock: AbstractAsyncContextManager[object], days: int) -> tuple[str, ...]:
    """Let history expire after so many days, 0 = never; return the tables that were changed now."""
    changed = [table for table in _TTL if await _days(engine, table) != days]
    if not changed:
        return ()
    async with lock:
        for table in changed:
            how = f"MODIFY TTL {_TTL[table].format(days=days)}" if days else "REMOVE TTL"
            await engine.command(f"ALTER TABLE {table} {how}")
    return tuple(changed)


async def _days(engine: Engine, table: str) -> int:
    found = await engine.query(
        "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
        {"table": table},
    )
    match = _DAYS.search(str(found.rows[0][0]))
    return int(match[1]) if match else 0
