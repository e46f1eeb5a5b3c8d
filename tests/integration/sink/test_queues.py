"""How far the stages are, as a real broker tells it."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.sink.queues import StageQueues
from services.sink.stalls import Level
from shared.messages.topics import TAGS_FOUND
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import group_name, topic_name
from shared.settings import Settings


async def test_each_partition_of_each_stage_is_told_with_what_is_done_and_where_it_ends(settings: Settings) -> None:
    source = TopicPartition(topic_name(settings, TAGS_FOUND), 1)
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        for _ in range(5):
            await producer.send_and_wait(source.topic, b"a page", partition=source.partition)
    group = group_name(settings, "manifester")
    async with AIOKafkaConsumer(**client_options(settings), group_id=group, enable_auto_commit=False) as consumer:
        consumer.assign([source])
        await consumer.commit({source: 3})
    levels = await StageQueues(settings).levels()
    assert levels.pop((TAGS_FOUND.name, 1)) == Level(3, 5)
    assert {topic for topic, _ in levels} == {"repository.found", "tags.found", "images.observed"}
    assert len(levels) == 3 * settings.partitions - 1
    assert set(levels.values()) == {Level(0, 0)}
