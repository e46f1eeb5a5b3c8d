"""The trigger and its receivers: used by its own process and by the one-process form."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import httpx
from faust.transport.drivers.aiokafka import Transport

from services.access import DecryptsPasswords
from services.trigger.committed import CommittedTransport
from services.trigger.receivers.scanner import Credentials, ScannerAdapter
from services.trigger.receivers.stage import Receiver, deliverer_stage
from services.trigger.receivers.webhook import Webhook
from services.trigger.rules import KnowsConnections
from services.trigger.stage import Ports, run_agents
from shared.pipeline.stage import PACE, Pace
from shared.pipeline.worker import run_stage
from shared.registry.user_agent import USER_AGENT
from shared.settings import Settings

_TIMEOUT_SECONDS: Final = 10.0
"""Of a delivery: a receiver takes it and works later."""


async def run_trigger(
    settings: Settings,
    connections: KnowsConnections,
    secrets: DecryptsPasswords,
    stop: asyncio.Event,
    *,
    between: Callable[[Ports], Ports] = lambda ports: ports,
    pace: Pace = PACE,
    transport: type[Transport] = CommittedTransport,
) -> None:
    """Work until `stop`. Raises what ends the trigger or the deliverer, after the other was stopped.

    between: changes what the agents' rules are given.  transport: how Faust reads from Kafka; both for tests.
    """
    stopping = asyncio.Event()
    async with _receivers(settings, connections, secrets) as receivers:
        names = tuple(receiver.name for receiver in receivers)
        patient = settings.model_copy(update={"attempts": settings.delivery_attempts})
        works = (
            asyncio.create_task(
                run_agents(settings, connections, names, stopping, between=between, pace=pace, transport=transport),
                name="trigger",
            ),
            asyncio.create_task(run_stage(deliverer_stage(receivers), patient, stopping, pace=pace), name="deliverer"),
        )
        asked = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((*works, asked), return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            stopping.set()
            ended = await asyncio.gather(*works, return_exceptions=True)
        for end in ended:
            if isinstance(end, BaseException):
                raise end


@asynccontextmanager
async def _receivers(
    settings: Settings, connections: KnowsConnections, secrets: DecryptsPasswords
) -> AsyncIterator[tuple[Receiver, ...]]:
    """Yield who is to be handed triggers, as the settings say."""
    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, headers={"User-Agent": USER_AGENT}) as client:
        key = settings.webhook_key or b""  # there is one where there are webhooks
        receivers: list[Receiver] = [Webhook(url, key, client, time.time) for url in settings.webhook_urls]
        if settings.scanner:
            credentials = Credentials(connections, secrets) if settings.scanner_pulls_with == "basic" else None
            receivers.append(ScannerAdapter(settings.scanner, client, settings.scanner_authorization, credentials))
        yield tuple(receivers)
