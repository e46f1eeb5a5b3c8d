"""The trigger on Faust: two agents, and a table that a changelog keeps.

`gather` re-keys image events by digest, since a table follows its source's partitions; `trigger` keeps the table.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import faust
from aiolimiter import AsyncLimiter
from faust.transport.drivers.aiokafka import Transport
from yarl import URL

from services.trigger.agents import Agents
from services.trigger.committed import CommittedTransport
from services.trigger.guard import NAME
from services.trigger.rules import Gathering, KnowsConnections, Send, Triggered, Triggering
from shared.messages.image_events import EventsMode
from shared.messages.topics import IMAGE_EVENTS, TRIGGER_WANTED
from shared.observability.logs import log_of
from shared.pipeline.kafka import client_options
from shared.pipeline.stage import PACE, Pace
from shared.pipeline.topics import MAX_MESSAGE_BYTES, group_name
from shared.settings import Settings

_START_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Ports:
    """What the agents' rules are given; tests put themselves in between."""

    send: Send
    triggered: Triggered


async def run_agents(
    settings: Settings,
    connections: KnowsConnections,
    receivers: tuple[str, ...],
    stop: asyncio.Event,
    *,
    between: Callable[[Ports], Ports] = lambda ports: ports,
    pace: Pace = PACE,
    transport: type[Transport] = CommittedTransport,
) -> None:
    """Work image events until `stop`.

    receivers: who is handed each trigger.  between: changes what the rules are given.
    transport: how Faust reads from Kafka and writes to it.
    Raises what ends the service: the process has to end, and what is not acknowledged comes again.
    """
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(error: Exception) -> None:
        if not failed.done():
            failed.set_exception(error)

    app = _app(settings, pace, transport)
    agents = Agents(app, settings, fail, pace.backoff)
    ports = between(Ports(agents.send, agents.triggered))
    gathering = Gathering(connections, ports.send)
    # One at a time, evenly: a limiter of many a second lets twice as many through in some seconds.
    limiter = AsyncLimiter(1, 1 / settings.triggers_per_second)
    triggering = Triggering(ports.triggered, ports.send, limiter, receivers, EventsMode(settings.events_mode))
    agents.add("gather", IMAGE_EVENTS, gathering.work)
    agents.add("trigger", TRIGGER_WANTED, triggering.work)
    app.finalize()
    stopping = asyncio.create_task(stop.wait(), name="stop")
    crashing = asyncio.create_task(app._crashed.wait(), name="crash")
    starting = asyncio.create_task(app.start(), name="start")
    try:
        await asyncio.wait((starting, stopping, crashing, failed), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            log_of(NAME).info("trigger started")
        await asyncio.wait((stopping, crashing, failed), return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
        if crashing.done():
            raise app.crash_reason or RuntimeError("Faust has stopped without a reason.")
    finally:
        for task in (stopping, crashing):
            task.cancel()
        await _stop(app, starting)


async def _stop(app: faust.App, starting: asyncio.Task[None]) -> None:
    """Stop Faust, once it has started: stopped before that, it waits for ever for its consumer's thread.

    With the broker away it may not start at all: then it is left to the end of the process.
    """
    await asyncio.wait([starting], timeout=_START_SECONDS)
    ending = asyncio.create_task(app.stop(), name="end")
    await asyncio.wait([ending], timeout=_STOP_SECONDS)
    for task in (starting, ending):
        if not task.done():
            task.cancel()
            log_of(NAME).warning("Faust was not stopped cleanly", waits_for=task.get_name())
        elif not task.cancelled():
            task.exception()  # what ends the service was raised before


def _app(settings: Settings, pace: Pace, transport: type[Transport]) -> faust.App:
    options = client_options(settings)
    folder = settings.trigger_data or settings.data / "trigger"
    folder.mkdir(parents=True, exist_ok=True)  # Faust makes only the last of its parts
    servers = [URL(f"kafka://{server}") for server in str(options["bootstrap_servers"]).split(",")]
    app = faust.App(
        group_name(settings, NAME),
        broker=servers,
        broker_credentials=_credentials(settings, options.get("ssl_context")),
        datadir=folder,
        store="rocksdb://",
        autodiscover=False,
        web_enabled=False,
        key_serializer="raw",
        value_serializer="raw",
        topic_allow_declare=False,  # topics are made and checked before
        topic_disable_leader=True,
        processing_guarantee="at_least_once",  # its exactly_once loses output
        producer_acks=-1,
        producer_max_request_size=MAX_MESSAGE_BYTES,
        consumer_auto_offset_reset="earliest",
        stream_recovery_delay=0,
        stream_wait_empty=False,  # what is not acknowledged is meant to come again; it would wait for ever
        broker_session_timeout=pace.session,
        broker_heartbeat_interval=pace.session / 4,
        broker_commit_interval=pace.commit,
    )
    app.transport = transport(servers, app, app.loop)
    return app


def _credentials(settings: Settings, context: ssl.SSLContext | None) -> faust.types.auth.CredentialsT | None:
    if settings.kafka_security.startswith("SASL") and settings.kafka_password is not None:
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=settings.kafka_password.get_secret_value(),
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context is not None else None
