"""What a stage sends: routed by type, one idempotent producer, and no success before the broker has said so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Any, Final

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError, KafkaTimeoutError

from shared.errors import PermanentError, TallymanError
from shared.messages.codec import encode
from shared.messages.model import Message
from shared.messages.topics import BY_MESSAGE, dead_letter
from shared.messages.tracing import trace_headers
from shared.observability.logs import log_of
from shared.observability.metrics import DEAD_LETTERS, SENT
from shared.pipeline.closing import close_client
from shared.pipeline.dead_letters import dead_letter_of
from shared.pipeline.kafka import client_options
from shared.pipeline.partitioning import key_of, partition_of
from shared.pipeline.topics import BATCH_BYTES, CODEC, LARGEST_OUTPUT_BYTES, MAX_MESSAGE_BYTES, topic_name
from shared.settings import Settings

REASON_TOO_LARGE: Final = "output_too_large"
REASON_NO_PARTITION: Final = "partition_missing"

_UNACKNOWLEDGED: Final = 256


class BrokerRefused(TallymanError):
    """Kafka refused us, and would again: the process has to end, and nothing more is committed."""

    def __init__(self, what: str, error: Exception) -> None:
        super().__init__(
            f"{what}: {error!r}. See that the broker is up and lets us in, and that its topics are as we made them.",
            reason="broker_refused",
        )


class Outputs:
    """Sends a stage's messages and dead letters. Made and started in the loop that uses it."""

    def __init__(self, stage: str, settings: Settings) -> None:
        self._stage = stage
        self._settings = settings
        self._log = log_of(stage)
        # An idempotent producer never gives a batch up, so a broker's restart is waited for, not an error.
        self._producer = AIOKafkaProducer(
            enable_idempotence=True,
            acks="all",
            max_request_size=MAX_MESSAGE_BYTES,
            max_batch_size=BATCH_BYTES,
            compression_type=CODEC,
            **client_options(settings),
        )

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await close_client(self._stage, self._producer)

    async def deliver(self, messages: AsyncIterator[Message]) -> None:
        """Send each message as it comes; return once the broker has acknowledged them all.

        Raises PermanentError for one that no topic can take, BrokerRefused, and whatever `messages` raises.
        """
        sent: list[Awaitable[Any]] = []
        async for message in messages:
            sent.append(await self._send(message))
            if len(sent) >= _UNACKNOWLEDGED:
                await self._acknowledged(sent)
                sent = []
        await self._acknowledged(sent)

    async def deliver_all(self, messages: Iterable[Message]) -> None:
        """Send the messages; return once the broker has acknowledged them all. Raises like `deliver`."""
        await self._acknowledged([await self._send(message) for message in messages])

    async def bury(self, record: ConsumerRecord, error: Exception) -> None:
        """Write the record's dead letter; return once it is safe."""
        topic = topic_name(self._settings, dead_letter(self._stage))
        key, value, headers = dead_letter_of(self._stage, record, record.key, record.value, error)
        await self._acknowledged([await self._put(topic, value, key, None, headers)])
        DEAD_LETTERS.labels(self._stage).inc()

    async def _send(self, message: Message) -> Awaitable[Any]:
        topic = topic_name(self._settings, BY_MESSAGE[type(message)])
        value, partition = encode(message), partition_of(message)
        if len(value) > LARGEST_OUTPUT_BYTES:
            raise PermanentError(
                f"A {type(message).__name__} message of {len(value)} bytes is more than {topic} takes "
                f"({LARGEST_OUTPUT_BYTES} bytes); lower the connection's page size.",
                reason=REASON_TOO_LARGE,
            )
        if partition not in await self._partitions(topic):
            raise PermanentError(
                f"The scan was begun when {topic} had more partitions than now ({partition} is missing); scan again.",
                reason=REASON_NO_PARTITION,
            )
        return await self._put(topic, value, key_of(message), partition, trace_headers(message))

    async def _partitions(self, topic: str) -> set[int]:
        try:
            return set(await self._producer.partitions_for(topic))
        except KafkaError as error:
            raise BrokerRefused(f"Kafka does not tell the partitions of {topic}", error) from error

    async def _put(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int | None,
        headers: list[tuple[str, bytes]],
    ) -> Awaitable[Any]:
        """Hand the record to the producer, waiting while its buffer is full; return its acknowledgement to come."""
        while True:
            try:
                coming: Awaitable[Any] = await self._producer.send(topic, value, key, partition, headers=headers)
            except KafkaTimeoutError:
                self._log.warning("broker slow, waiting for room to send", topic=topic)
            except KafkaError as error:
                raise BrokerRefused(f"Kafka refused a message to {topic}", error) from error
            else:
                SENT.labels(self._stage, topic.removeprefix(self._settings.topic_prefix)).inc()
                return coming

    async def _acknowledged(self, sent: list[Awaitable[Any]]) -> None:
        try:
            await asyncio.gather(*sent)
        except KafkaError as error:
            raise BrokerRefused("Kafka did not take what was sent", error) from error
