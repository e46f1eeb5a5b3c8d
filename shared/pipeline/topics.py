"""The topics on the cluster: their full names, their creation, and the check of what is there already."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, LeaderNotAvailableError, TopicAlreadyExistsError, for_code

from shared.errors import SettingsError
from shared.messages.topics import (
    BUDGET_CLAIMED,
    CHAIN,
    CONNECTION_CHANGED,
    OF_TRIGGERS,
    PUBLIC,
    SERVICE_REPORTED,
    Kept,
    TopicName,
    dead_letter,
)
from shared.observability.logs import log_of
from shared.pipeline.kafka import client_options
from shared.settings import Settings

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
"""The largest message a topic of ours takes: a page of 100 tags on wide indexes fits well."""

LARGEST_OUTPUT_BYTES: Final = MAX_MESSAGE_BYTES - 64 * 1024
"""Leaves room for headers: whatever was sent fits into a dead letter. Checked before sending, since a refusal by the
broker would leave a hole in the producer's sequence."""

BATCH_BYTES: Final = 512 * 1024
"""What a producer sends to a partition at once; the client's default of 16 KiB makes a round trip of every page."""

CODEC: Final = "snappy"
"""How producers pack batches: a third of the bytes, and all in all less CPU than unpacked (README, Decisions)."""

_LOG: Final = log_of("topics")
_PATIENCE_SECONDS: Final = 60.0
_QUIET_SECONDS: Final = 5.0
"""New topics have no leader for a moment; only a longer wait is worth a line."""

_PAUSE_SECONDS: Final = 0.25
_TIMES: Final = frozenset(
    {"retention.ms", "segment.ms", "min.cleanable.dirty.ratio", "max.compaction.lag.ms", "delete.retention.ms"}
)
_OF_TOPIC: Final = 1
"""ConfigSource DYNAMIC_TOPIC_CONFIG: set on the topic. An alteration takes away what it does not name."""

_MINUTE_MS: Final = 60 * 1000
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS
_SEGMENT_BYTES: Final = 1024 * 1024
"""The least a broker takes."""


def topic_name(settings: Settings, topic: TopicName) -> str:
    """Return the topic's name on the cluster. Every client asks here, so that the prefix is applied once."""
    return settings.topic_prefix + topic.name


def group_name(settings: Settings, stage: str) -> str:
    """Return the consumer group of a stage."""
    return settings.topic_prefix + stage


def transaction_name(settings: Settings, name: str) -> str:
    """Return the transactional id `name` as the cluster knows it; a prefix keeps two installations from fencing."""
    return settings.topic_prefix + name


async def ensure_topics(settings: Settings, stages: Iterable[str]) -> frozenset[str]:
    """Create the topics that are missing, check those that are there, and return the names of the created.

    stages: those whose dead-letter topics are needed.  The names returned are `TopicName.name`, without prefix.
    Waits for a broker that is still starting.
    Raises SettingsError when none answers, refuses, or has a topic kept or partitioned in another way.
    """
    own = (dead_letter(stage) for stage in stages)
    wanted = (*CHAIN, CONNECTION_CHANGED, BUDGET_CLAIMED, SERVICE_REPORTED, *PUBLIC, *OF_TRIGGERS, *own)
    created: set[str] = set()
    told = False
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        try:
            found = await _create_and_find(settings, wanted, created)
            break
        except KafkaError as error:
            if not error.retriable or asyncio.get_running_loop().time() > deadline:
                raise _refusal(settings, error) from error
            if not told and asyncio.get_running_loop().time() > deadline - _PATIENCE_SECONDS + _QUIET_SECONDS:
                _LOG.warning("kafka does not answer yet", address=settings.kafka, error=error)
                told = True
        await asyncio.sleep(_PAUSE_SECONDS)
    problems = [problem for topic in wanted for problem in topic_problems(settings, topic, found[topic])]
    if problems:
        raise SettingsError(" ".join(problems))
    return frozenset(created)


@dataclass(frozen=True)
class FoundTopic:
    """A topic as the cluster has it."""

    partitions: int
    cleanup_policy: str


def topic_problems(settings: Settings, topic: TopicName, found: FoundTopic) -> Iterator[str]:
    """Yield a sentence for each way in which a topic on the cluster differs from what the pipeline needs."""
    name, partitions = topic_name(settings, topic), _partitions(settings, topic)
    if found.partitions != partitions and topic.partitions is None:
        yield (
            f"The topic {name} has {found.partitions} partitions and TALLYMAN_PARTITIONS is {partitions}: messages "
            f"would lie in the wrong place. Set TALLYMAN_PARTITIONS to what all topics of the chain have, or choose "
            f"another TALLYMAN_TOPIC_PREFIX."
        )
    elif found.partitions != partitions:
        yield (
            f"The topic {name} has {found.partitions} partitions and must have {partitions}, since its order is what "
            f"counts: choose another TALLYMAN_TOPIC_PREFIX, or delete the topic if it is not ours."
        )
    if found.cleanup_policy != topic.kept:
        yield (
            f"The topic {name} has cleanup.policy={found.cleanup_policy or 'none'} and needs {topic.kept}, or it "
            f"would lose or hoard messages: set cleanup.policy={topic.kept} on it."
        )


def new_topic(settings: Settings, topic: TopicName) -> NewTopic:
    """Return the topic as it is to be created."""
    configs = {
        "cleanup.policy": topic.kept.value,
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        # Two copies before an acknowledgement where there are three, so that losing one broker loses nothing.
        "min.insync.replicas": "2" if settings.kafka_replication >= 3 else "1",
    }
    if topic.is_compacted_early:
        # Small and read whole at every start: compacted early, so that old (encrypted) passwords leave it within an
        # hour of their replacement (shared.connections.ticking closes the segment they lie in).
        configs |= {"segment.ms": str(10 * _MINUTE_MS), "min.cleanable.dirty.ratio": "0.01"}
        configs |= {"max.compaction.lag.ms": str(10 * _MINUTE_MS), "delete.retention.ms": str(24 * _HOUR_MS)}
    elif topic.is_log_of_beats:
        # Whoever comes reads it whole: small segments, cleaned soon. What is younger than a minute stays, so that
        # a record that says no more than an older one never takes that one's place before a newer is there.
        configs |= {"message.timestamp.type": "LogAppendTime", "segment.bytes": str(_SEGMENT_BYTES)}
        configs |= {"segment.ms": str(10 * _MINUTE_MS), "min.cleanable.dirty.ratio": "0.01"}
        configs |= {"min.compaction.lag.ms": str(_MINUTE_MS), "delete.retention.ms": str(_HOUR_MS)}
    elif topic.kept is Kept.COMPACT:
        configs["delete.retention.ms"] = str(7 * _DAY_MS)  # whoever reads it from its beginning has a week's time
    else:
        configs["retention.ms"] = str(_retention_ms(settings, topic))
    return NewTopic(
        topic_name(settings, topic), _partitions(settings, topic), settings.kafka_replication, topic_configs=configs
    )


async def _create_and_find(
    settings: Settings, wanted: Sequence[TopicName], created: set[str]
) -> dict[TopicName, FoundTopic]:
    """What is there after all that was missing was created; the names of those are added to `created`."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        await _create_missing(admin, settings, wanted, created)
        await _align(admin, settings, wanted)
        names = [topic_name(settings, topic) for topic in wanted]
        partitions = await _partitions_with_leaders(admin, names)
        policies = await _cleanup_policies(admin, names)
    finally:
        await admin.close()
    return {topic: FoundTopic(partitions[name], policies[name]) for topic, name in zip(wanted, names, strict=True)}


async def _create_missing(
    admin: AIOKafkaAdminClient, settings: Settings, wanted: Sequence[TopicName], created: set[str]
) -> None:
    # All topics are asked for, here and below: a question for a missing one could make the broker create it.
    there = set(await admin.list_topics())
    missing = {name: topic for topic in wanted if (name := topic_name(settings, topic)) not in there}
    if not missing:
        return
    answer = await admin.create_topics([new_topic(settings, topic) for topic in missing.values()])
    created.update(missing[name].name for name, code, _ in answer.topic_errors if code == 0)
    for name, code, message in answer.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):  # another process of ours may start at the same moment
            raise for_code(code)(f"{name}: {message}")


async def _align(admin: AIOKafkaAdminClient, settings: Settings, wanted: Sequence[TopicName]) -> None:
    """Give topics that are there today's times: those of the connections, and those that settings say.

    Nothing but times, and no topic that is kept in another way: that one is for its owner to mend.
    """
    times = {topic_name(settings, topic): _times(settings, topic) for topic in wanted if _has_times_of_today(topic)}
    kept = {topic_name(settings, topic): topic.kept.value for topic in wanted}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in times]
    changed = []
    for answer in await admin.describe_configs(asked):
        for code, _, _, name, entries in answer.resources:
            found = {entry[0]: str(entry[1]) for entry in entries}
            is_ours = code == 0 and found.get("cleanup.policy") == kept[name]
            if is_ours and any(found.get(key) != value for key, value in times[name].items()):
                own = {entry[0]: str(entry[1]) for entry in entries if entry[3] == _OF_TOPIC}
                changed.append(ConfigResource(ConfigResourceType.TOPIC, name, configs={**own, **times[name]}))
    if changed:
        await admin.alter_configs(changed)


def _has_times_of_today(topic: TopicName) -> bool:
    return topic.is_compacted_early or bool(topic.retention_days)


def _times(settings: Settings, topic: TopicName) -> dict[str, str]:
    """Return how long, and in what steps, a topic keeps its messages."""
    configs = new_topic(settings, topic).topic_configs or {}
    return {key: str(value) for key, value in configs.items() if key in _TIMES}


async def _partitions_with_leaders(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    """The topics' partition counts. Raises a retriable error while a partition has no leader to work with."""
    described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
    waiting = [name for name in names if not _led(described.get(name, ()))]
    if waiting:
        raise LeaderNotAvailableError(f"no leader yet for {', '.join(waiting)}")
    return {name: len(described[name]) for name in names}


def _led(partitions: Sequence[Mapping[str, int]]) -> bool:
    return bool(partitions) and all(partition["leader"] >= 0 for partition in partitions)


async def _cleanup_policies(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, str]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, configs={"cleanup.policy": ""}) for name in names]
    policies = {}
    for answer in await admin.describe_configs(asked):
        for code, message, _, name, entries in answer.resources:
            if code:
                raise for_code(code)(f"{name}: {message}")
            policies[name] = str(entries[0][1])
    return policies


def _retention_ms(settings: Settings, topic: TopicName) -> int:
    """Return how long a topic keeps its messages, -1 = for ever."""
    if not topic.retention_days:
        return topic.retention_ms
    return int(getattr(settings, topic.retention_days)) * _DAY_MS or -1


def _partitions(settings: Settings, topic: TopicName) -> int:
    return settings.partitions if topic.partitions is None else topic.partitions


def _refusal(settings: Settings, error: KafkaError) -> SettingsError:
    if isinstance(error, KafkaConnectionError):
        return SettingsError(
            f"No Kafka broker let us in at {settings.kafka} within {_PATIENCE_SECONDS:.0f} s ({error}): check "
            "TALLYMAN_KAFKA, and the security, user name and password set beside it."
        )
    return SettingsError(f"Kafka at {settings.kafka} refused the set-up of our topics: {error}.")
