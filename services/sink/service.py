"""The sink and what it keeps beside: used by its own process and by the one-process form."""

import asyncio
import time
from datetime import UTC, datetime

from services.sink.ports import Clocks, SinkStore
from services.sink.registries import ConnectedRegistries, KnowsConnections, keep_registries
from services.sink.sending import Sending
from services.sink.stage import Sink
from shared.messages.image_events import EventsMode
from shared.settings import Settings


async def run_sink(settings: Settings, store: SinkStore, connections: KnowsConnections, stop: asyncio.Event) -> None:
    """Work until `stop`. Raises what ends the sink: the process has to end, and what is not published comes again."""
    registries = ConnectedRegistries(connections, store, settings.partitions)
    sending = Sending(EventsMode(settings.events_mode))
    sink = Sink(settings, store, registries, sending, Clocks(lambda: datetime.now(UTC), time.monotonic))
    keeping = asyncio.create_task(keep_registries(connections, store), name="registries")
    working = asyncio.create_task(sink.run(stop), name="sink")
    try:
        await asyncio.wait((keeping, working), return_when=asyncio.FIRST_COMPLETED)
        if keeping.done() and not stop.is_set():
            keeping.result()
        await working
    finally:
        for task in (keeping, working):
            task.cancel()
        await asyncio.gather(keeping, working, return_exceptions=True)
