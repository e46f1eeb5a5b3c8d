"""How far behind the end of its partitions a consumer is, as a metric."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.observability.metrics import LAG

_SECONDS: Final = 0.1


class Lag:
    """Of one stage.  undone: how many messages of a partition are in memory and not done."""

    def __init__(self, stage: str, consumer: AIOKafkaConsumer, undone: Callable[[TopicPartition], int]) -> None:
        self._stage: Final = stage
        self._consumer: Final = consumer
        self._undone: Final = undone

    async def tell(self) -> None:
        """Tell it of each partition of which something was fetched; wait for none whose place is not known now."""
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                for source in self._consumer.assignment():
                    if (end := self._consumer.highwater(source)) is not None:
                        ahead = max(0, end - await self._consumer.position(source))
                        LAG.labels(self._stage, source.topic, source.partition).set(ahead + self._undone(source))

    def forget(self, sources: Iterable[TopicPartition]) -> None:
        """Tell nothing more of partitions that are another's now."""
        for source in sources:
            with suppress(KeyError):
                LAG.remove(self._stage, source.topic, source.partition)
