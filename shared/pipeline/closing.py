"""How a Kafka client is stopped when the broker may be away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from shared.observability.logs import log_of

_CLOSE_SECONDS: Final = 5.0
_LAST_CALL_SECONDS: Final = 1.0


async def close_client(what: str, stage: str, stopping: Coroutine[Any, Any, None]) -> None:
    """Stop a client without waiting for ever for a broker that is away, and whatever comes of it."""
    task = asyncio.create_task(stopping)
    await asyncio.wait([task], timeout=_CLOSE_SECONDS)
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_LAST_CALL_SECONDS)
    if not task.done() or task.cancelled() or task.exception() is not None:
        log_of(stage).warning("client not closed cleanly", client=what)
