"""Takes part in the division of the registries' budgets: beats on `budget.claimed`, and reads all beats there.

Until a registry is to be asked, nothing is done. Where Kafka is away nothing is granted once the last beat is too old:
no claim, no request.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.errors import PermanentError
from shared.messages.budget_claimed import Beat, Gone, Silent
from shared.messages.codec import decode, encode
from shared.messages.topics import BUDGET_CLAIMED
from shared.observability.logs import log_of
from shared.pipeline.closing import close_client, start_client
from shared.pipeline.dead_letters import frames
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import topic_name
from shared.registry.sharing.ledger import Record
from shared.registry.sharing.member import Member
from shared.registry.sharing.whereabouts import boot_seconds, has_ended, whereabouts
from shared.settings import Settings

BEAT_SECONDS: Final = 0.4
_SOON_SECONDS: Final = 0.05
_SOON_SECONDS_A_CLAIM: Final = 0.001
"""No two beats come closer, however urgent; where there is much in each, all have more to read."""

_LOOK_SECONDS: Final = 0.05
"""How soon it is seen that something can be given up."""

_AGAIN_SECONDS: Final = 1.0
_POLL_MS: Final = 200
_SILENT: Final = b"/silent"
_NUMBER: Final = "number"
_LOG: Final = log_of("budget")

_STAGES: Final = {"lister": 0, "tagger": 1, "manifester": 2}
_DOWNSTREAM: Final = 3
"""Whoever asks for a person who waits; it is little."""


def stage_of(service: str) -> int:
    """Return how far downstream a service stands. One that runs all stages stands where the last of them does."""
    return _STAGES["manifester"] if service == "tallyman" else _STAGES.get(service, _DOWNSTREAM)


@asynccontextmanager
async def sharing(settings: Settings, service: str) -> AsyncIterator[Member]:
    """Yield this process's part in the budgets. When the block ends, everything it opened must be closed."""
    member = Member(stage_of(service), boot_seconds, whereabouts(), has_ended)
    taking_part = asyncio.create_task(_take_part(settings, member), name="budget")
    try:
        yield member
    finally:
        taking_part.cancel()
        with suppress(asyncio.CancelledError):
            await taking_part


async def _take_part(settings: Settings, member: Member) -> None:
    await member.needed.wait()
    while True:
        try:
            await _with_clients(settings, member)
        except* KafkaError as group:
            why = type(group.exceptions[0]).__name__
            _LOG.warning("no part in the budgets: nothing is asked of registries", why=why)
        except* Exception as group:  # noqa: BLE001  # without its share a process does nothing: it has to come back
            error = group.exceptions[0]
            _LOG.error("unexpected error", error=type(error).__name__, traceback=frames(error))
        await asyncio.sleep(_AGAIN_SECONDS)


async def _with_clients(settings: Settings, member: Member) -> None:
    """Beat and read until cancelled; then say farewell. Raises KafkaError."""
    topic = topic_name(settings, BUDGET_CLAIMED)
    async with AsyncExitStack() as stack:
        consumer = AIOKafkaConsumer(**client_options(settings), group_id=None, enable_auto_commit=False)
        stack.push_async_callback(close_client, "budget", consumer)
        await start_client(consumer)
        producer = AIOKafkaProducer(**client_options(settings))
        stack.push_async_callback(close_client, "budget", producer)
        await start_client(producer)
        log = _BeatLog(consumer, producer, topic)
        member.begin_anew()
        await log.read_from_beginning(member)
        member.listening.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(log.keep_reading(member))
                tasks.create_task(_keep_beating(log, member))
        except asyncio.CancelledError:
            await _leave(log, member)  # only now: on an error connections may be open still
            raise


async def _keep_beating(log: "_BeatLog", member: Member) -> None:
    while True:
        beat = member.beat()
        await log.send(beat)
        for farewell in member.farewells():
            await log.send(farewell)
        soon = min(BEAT_SECONDS, _SOON_SECONDS + len(beat.claims) * _SOON_SECONDS_A_CLAIM)
        await asyncio.sleep(soon)
        await _news(member, BEAT_SECONDS - soon)


async def _news(member: Member, seconds: float) -> None:
    """Return once others should hear of this process, after so many seconds at the latest."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not member.has_news:
                with suppress(TimeoutError):
                    await asyncio.wait_for(member.urgent.wait(), _LOOK_SECONDS)
                    return


async def _leave(log: "_BeatLog", member: Member) -> None:
    if farewell := member.gone():
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(_AGAIN_SECONDS):
                await log.send(farewell)


class _BeatLog:
    """The topic, as bytes."""

    def __init__(self, consumer: Any, producer: Any, topic: str) -> None:
        self._consumer = consumer
        self._producer = producer
        self._source = TopicPartition(topic, 0)

    async def send(self, record: Record) -> None:
        """Send a record and return when it is in the log. Raises KafkaError."""
        key, value, headers = _written(record)
        await self._producer.send_and_wait(self._source.topic, value, key, partition=0, headers=headers)

    async def read_from_beginning(self, member: Member) -> None:
        """Let the member read what is in the log by now."""
        end = (await self._consumer.end_offsets([self._source]))[self._source]  # first: a fetch would hold it up
        self._consumer.assign([self._source])
        await self._consumer.seek_to_beginning(self._source)
        while await self._consumer.position(self._source) < end:
            await self._read(member)

    async def keep_reading(self, member: Member) -> None:
        while True:
            await self._read(member)

    async def _read(self, member: Member) -> None:
        fetched = await self._consumer.getmany(self._source, timeout_ms=_POLL_MS)
        for received in fetched.get(self._source, ()):
            if received.offset <= member.position:
                _LOG.warning("the log of the budgets begins anew", topic=self._source.topic)
                member.begin_anew()
                member.listening.set()
            try:
                record = _as_read(received)
            except PermanentError as error:
                _LOG.warning("not a claim", topic=self._source.topic, offset=received.offset, why=error)
                continue
            member.read(received.offset, record, received.timestamp)


def _written(record: Record) -> tuple[bytes, bytes | None, list[tuple[str, bytes]]]:
    """Return key, value and headers."""
    key = record.worker.encode()
    if isinstance(record, Gone):
        return key, None, [(_NUMBER, str(record.number).encode())]
    return (key + _SILENT if isinstance(record, Silent) else key), encode(record), []


def _as_read(received: Any) -> Record:
    """Return the record. Raises PermanentError for what is none."""
    key = received.key or b""
    if received.value is not None:
        if key.endswith(_SILENT):
            return decode(Silent, received.value, received.offset)
        return decode(Beat, received.value, received.offset)
    number = dict(received.headers).get(_NUMBER, b"")
    document = {"worker": key.decode(errors="replace"), "number": number.decode(errors="replace")}
    return decode(Gone, json.dumps(document).encode(), received.offset)
