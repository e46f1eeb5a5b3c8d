"""How a Kafka client is started and stopped when either may be cut short, or the broker is away."""

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.observability.logs import log_of

_CLOSE_SECONDS: Final = 5.0
_LAST_CALL_SECONDS: Final = 1.0
_PARTS: Final = ("_sender", "_fetcher", "_coordinator")
_TASKS: Final = (
    "_sender_task",
    "_fetch_task",
    "_coordination_task",
    "_heartbeat_task",
    "_commit_refresh_task",
    "_reset_committed_task",
)


async def start_client(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Start a client. Raises as its `start`.

    Cancelled, it first waits a moment for the start to end: cut off in between, a client leaves a connection open.
    """
    starting = asyncio.create_task(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _wait_for(starting, _CLOSE_SECONDS)
        raise


async def close_client(stage: str, client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client without waiting for ever for a broker that is away, and whatever comes of it."""
    stopping = asyncio.create_task(client.stop())
    await _wait_for(stopping, _CLOSE_SECONDS)
    if stopping.done() and not stopping.cancelled() and stopping.exception() is None:
        return
    log_of(stage).warning("client not closed cleanly", client=type(client).__name__)
    await _abandon(client)


async def _abandon(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """End what a stop that was given up left behind: tasks that would try for ever, and connections."""
    parts = [getattr(client, part, None) for part in _PARTS]
    found: list[Any] = [getattr(part, task, None) for part in parts for task in _TASKS]
    tasks = [task for task in found if task is not None and not task.done()]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_LAST_CALL_SECONDS)
    connections = client.client if isinstance(client, AIOKafkaProducer) else client._client
    await _wait_for(asyncio.create_task(connections.close()), _LAST_CALL_SECONDS)


async def _wait_for(task: asyncio.Task[None], seconds: float) -> None:
    """Return when the task has ended, or was cancelled since it took longer than that."""
    await asyncio.wait([task], timeout=seconds)
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_LAST_CALL_SECONDS)
    if task.done() and not task.cancelled():
        task.exception()  # seen
