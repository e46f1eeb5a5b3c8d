"""Old passwords leave the topic: some time after the last change a record closes the segment that they lie in.

Kafka compacts only closed segments, and closes one only when something is written. (Measured: without a further write
a replaced record stays for ever.)
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.connections.writer import States, write
from shared.errors import TallymanError
from shared.messages.connection_notes import Ticked
from shared.observability.logs import log_of

TICK_AFTER_SECONDS: Final = 15 * 60.0
"""Longer than the topic's segment.ms, so that the write closes the segment."""

KEY: Final = Ticked.key("last")
_LOOK_SECONDS: Final = 30.0
_LOG: Final = log_of("connections")


async def keep_ticking(
    topic: ConnectionsTopic, now_known: Callable[[], ConnectionsSnapshot], after_seconds: float = TICK_AFTER_SECONDS
) -> None:
    """Write a tick once nothing has changed for `after_seconds` since the last change, until cancelled."""
    seen, since = -1, time.monotonic()
    while True:
        known = now_known()
        newest = known.newest_change()
        if newest != seen:
            seen, since = newest, time.monotonic()
        elif is_due(known) and time.monotonic() - since >= after_seconds:
            with suppress(TallymanError):  # tried again at the next look
                await write(topic, _tick)
                _LOG.debug("segment closed")
        await asyncio.sleep(min(_LOOK_SECONDS, after_seconds))


def is_due(known: ConnectionsSnapshot) -> bool:
    """Return whether something was written since the last tick."""
    ticked = known.notes.get(KEY)
    return known.newest_change() > (ticked.offset if ticked else -1)


def _tick(_: ConnectionsSnapshot) -> States:
    return {KEY: Ticked(at=datetime.now(UTC))}
