"""How far behind the end of its partitions a consumer is, as a metric."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.observability.metrics import LAG


class Lag:
    """Of one stage.  undone: how many messages of a partition are in memory and not done."""

    def __init__(self, stage: str, consumer: AIOKafkaConsumer, undone: Callable[[TopicPartition], int]) -> None:
        self._stage: Final = stage
        self._consumer: Final = consumer
        self._undone: Final = undone

    async def tell(self) -> None:
        """Tell it of each partition of which something was fetched."""
        for source in self._consumer.assignment():
            end = self._consumer.highwater(source)
            if end is not None:
                ahead = end - await self._consumer.position(source)
                LAG.labels(self._stage, source.topic, source.partition).set(max(0, ahead) + self._undone(source))

    def forget(self, sources: Iterable[TopicPartition]) -> None:
        """Tell nothing more of partitions that are another's now."""
        for source in sources:
            with suppress(KeyError):
                LAG.remove(self._stage, source.topic, source.partition)
