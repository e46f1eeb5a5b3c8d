"""Topics are created as the pipeline needs them, and those that are there are checked."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.errors import SettingsError
from shared.messages.topics import (
    BUDGET_CLAIMED,
    CHAIN,
    CONNECTION_CHANGED,
    IMAGE_EVENTS,
    OF_TRIGGERS,
    PUBLIC,
    SCAN_REQUESTED,
    SERVICE_REPORTED,
    TopicName,
    dead_letter,
)
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import MAX_MESSAGE_BYTES, ensure_topics, new_topic, topic_name
from shared.settings import Settings
from tests.support.broker import PARTITIONS

STAGES = ("lister", "tagger")


async def made(settings: Settings, topic: NewTopic) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        answer = await admin.create_topics([topic])
    finally:
        await admin.close()
    assert [code for _, code, _ in answer.topic_errors] == [0]


async def test_missing_topics_are_created_and_named(kafka_settings: Settings) -> None:
    created = await ensure_topics(kafka_settings, STAGES)
    assert created == {
        *(topic.name for topic in CHAIN),
        CONNECTION_CHANGED.name,
        BUDGET_CLAIMED.name,
        *(topic.name for topic in (*PUBLIC, *OF_TRIGGERS)),
        SERVICE_REPORTED.name,
        "lister.dead-letter",
        "tagger.dead-letter",
    }


async def test_a_second_start_creates_nothing_but_what_it_needs_more(kafka_settings: Settings) -> None:
    await ensure_topics(kafka_settings, STAGES)
    assert await ensure_topics(kafka_settings, STAGES) == frozenset()
    assert await ensure_topics(kafka_settings, (*STAGES, "sink")) == {"sink.dead-letter"}


async def test_of_two_processes_that_start_together_each_topic_is_created_by_one(kafka_settings: Settings) -> None:
    one, other = await asyncio.gather(*(ensure_topics(kafka_settings, STAGES) for _ in range(2)))
    assert one & other == frozenset()
    assert len(one | other) == len(CHAIN) + len(
        (CONNECTION_CHANGED, BUDGET_CLAIMED, *PUBLIC, *OF_TRIGGERS, SERVICE_REPORTED)
    ) + len(STAGES)


async def test_topics_have_the_partitions_and_the_policy_of_the_design(fresh_topics: Settings) -> None:
    names = {
        topic: topic_name(fresh_topics, topic) for topic in (SCAN_REQUESTED, CONNECTION_CHANGED, *PUBLIC, *OF_TRIGGERS)
    }
    admin = AIOKafkaAdminClient(**client_options(fresh_topics))
    await admin.start()
    try:
        described = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
        (answer,) = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names.values()]
        )
    finally:
        await admin.close()
    kept = {name: {entry[0]: entry[1] for entry in entries} for _, _, _, name, entries in answer.resources}

    assert {topic: described[name] for topic, name in names.items()} == {
        SCAN_REQUESTED: PARTITIONS,
        CONNECTION_CHANGED: 1,
        **dict.fromkeys((*PUBLIC, *OF_TRIGGERS), PARTITIONS),
    }
    assert kept[names[SCAN_REQUESTED]]["cleanup.policy"] == "delete"
    assert kept[names[CONNECTION_CHANGED]]["cleanup.policy"] == "compact"
    assert kept[names[IMAGE_EVENTS]]["retention.ms"] == "-1"
    assert [kept[names[topic]]["cleanup.policy"] for topic in PUBLIC] == ["delete", "compact", "compact", "delete"]
    assert [kept[names[topic]]["cleanup.policy"] for topic in OF_TRIGGERS] == ["delete", "delete", "compact"]


@pytest.mark.parametrize("partitions", [PARTITIONS - 1, PARTITIONS + 1])
async def test_another_number_of_partitions_stops_the_start(kafka_settings: Settings, partitions: int) -> None:
    name = topic_name(kafka_settings, SCAN_REQUESTED)
    await made(kafka_settings, NewTopic(name, partitions, 1))
    with pytest.raises(SettingsError, match=rf"{name} has {partitions} partitions and TALLYMAN_PARTITIONS is 4"):
        await ensure_topics(kafka_settings, STAGES)


async def test_connections_on_more_than_one_partition_stop_the_start(kafka_settings: Settings) -> None:
    name = topic_name(kafka_settings, CONNECTION_CHANGED)
    await made(kafka_settings, NewTopic(name, 2, 1, topic_configs={"cleanup.policy": "compact"}))
    with pytest.raises(SettingsError, match=rf"{name} has 2 partitions and must have 1"):
        await ensure_topics(kafka_settings, STAGES)


async def test_connections_that_would_be_deleted_after_a_week_stop_the_start(kafka_settings: Settings) -> None:
    name = topic_name(kafka_settings, CONNECTION_CHANGED)
    await made(kafka_settings, NewTopic(name, 1, 1, topic_configs={"cleanup.policy": "delete"}))
    for _ in range(3):  # and it stays as it is: it may be somebody else's
        with pytest.raises(SettingsError, match=r"set cleanup\.policy=compact on it"):
            await ensure_topics(kafka_settings, STAGES)
        await asyncio.sleep(0.3)


async def test_a_refusal_of_the_cluster_is_told_with_its_reason(kafka_settings: Settings) -> None:
    greedy = kafka_settings.model_copy(update={"kafka_replication": 3})
    with pytest.raises(SettingsError, match=r"refused the set-up of our topics.*[Rr]eplication factor"):
        await ensure_topics(greedy, STAGES)


async def test_two_installations_share_a_cluster_by_their_prefixes(kafka_settings: Settings) -> None:
    other = kafka_settings.model_copy(update={"topic_prefix": kafka_settings.topic_prefix + "other."})
    assert await ensure_topics(kafka_settings, STAGES) == await ensure_topics(other, STAGES)


async def test_events_and_dead_letters_are_kept_as_long_as_the_settings_of_the_last_start_say(
    kafka_settings: Settings,
) -> None:
    letters = dead_letter("tagger")
    for events_days, letters_days, told in ((0, 30, ("-1", _days(30))), (90, 0, (_days(90), "-1"))):
        settings = kafka_settings.model_copy(update={"events_days": events_days, "dead_letters_days": letters_days})
        await ensure_topics(settings, STAGES)
        await asyncio.sleep(0.5)  # brokers learn it from the controller
        configs = await configs_of(settings, IMAGE_EVENTS, letters)
        assert tuple(configs[topic]["retention.ms"] for topic in (IMAGE_EVENTS, letters)) == told
        assert {configs[topic]["max.message.bytes"] for topic in (IMAGE_EVENTS, letters)} == {str(MAX_MESSAGE_BYTES)}


async def test_what_an_operator_set_on_a_topic_beside_stays(kafka_settings: Settings) -> None:
    await ensure_topics(kafka_settings, STAGES)
    admin = AIOKafkaAdminClient(**client_options(kafka_settings))
    await admin.start()
    try:
        configs = {**(new_topic(kafka_settings, IMAGE_EVENTS).topic_configs or {}), "segment.bytes": "7654321"}
        name = topic_name(kafka_settings, IMAGE_EVENTS)
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=configs)])
    finally:
        await admin.close()
    await asyncio.sleep(0.5)  # brokers learn it from the controller
    await ensure_topics(kafka_settings.model_copy(update={"events_days": 5}), STAGES)
    await asyncio.sleep(0.5)
    found = (await configs_of(kafka_settings, IMAGE_EVENTS))[IMAGE_EVENTS]
    assert (found["segment.bytes"], found["retention.ms"]) == ("7654321", _days(5))


def _days(number: int) -> str:
    return str(number * 24 * 3600 * 1000)


async def configs_of(settings: Settings, *topics: TopicName) -> dict[TopicName, dict[str, str]]:
    names = {topic_name(settings, topic): topic for topic in topics}
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    finally:
        await admin.close()
    return {
        names[name]: {entry[0]: str(entry[1]) for entry in entries}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }
