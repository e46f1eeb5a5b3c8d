"""How far the stages are on their topics: what waits in a queue has not stalled."""

from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError

from services.sink.stalls import Level, Place
from shared.messages.topics import IMAGES_OBSERVED, REPOSITORY_FOUND, TAGS_FOUND, TopicName
from shared.observability.logs import log_of
from shared.pipeline.closing import close_client, start_client
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import group_name, topic_name
from shared.settings import Settings

_READ_BY: Final[Mapping[str, TopicName]] = {
    "tagger": REPOSITORY_FOUND,
    "manifester": TAGS_FOUND,
    "sink": IMAGES_OBSERVED,
}
_LOG: Final = log_of("sink")


class StageQueues:
    """Asks the broker, with clients of its own: that is seldom needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings

    async def levels(self) -> dict[Place, Level]:
        """Return how far each partition that a stage after the lister reads is done, and where it ends.

        A group whose offsets this sink may not see is left out. Raises KafkaError.
        """
        done = await self._done()
        consumer = AIOKafkaConsumer(**client_options(self._settings), group_id=None, enable_auto_commit=False)
        try:
            await start_client(consumer)
            ends = await consumer.end_offsets(list(done))
        finally:
            await close_client("sink", consumer)
        prefix = self._settings.topic_prefix
        return {
            (source.topic.removeprefix(prefix), source.partition): Level(done[source], int(end))
            for source, end in ends.items()
        }

    async def _done(self) -> dict[TopicPartition, int]:
        """Return what the stages have committed; 0 where that is nothing yet."""
        admin = AIOKafkaAdminClient(**client_options(self._settings))
        done: dict[TopicPartition, int] = {}
        try:
            await admin.start()
            for stage, topic in _READ_BY.items():
                name = topic_name(self._settings, topic)
                sources = [TopicPartition(name, number) for number in range(self._settings.partitions)]
                try:
                    told = await admin.list_consumer_group_offsets(
                        group_name(self._settings, stage), partitions=sources
                    )
                except GroupAuthorizationFailedError:
                    _LOG.warning("the offsets of a group are not told: allow the sink to describe it", group=stage)
                    continue
                done |= {source: max(0, told[source].offset) for source in sources}
        finally:
            await admin.close()
        return done
