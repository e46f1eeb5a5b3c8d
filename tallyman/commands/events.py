"""`tallyman events` and `tallyman triggers`: the public topics, read committed."""

import json
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.errors import PermanentError, SettingsError
from shared.messages.cloud_events import event_on_kafka
from shared.messages.image_events import EVENTS, TYPE_PREFIX
from shared.messages.topics import IMAGE_EVENTS, TopicName
from shared.pipeline.reading import committed_reader, is_behind
from shared.pipeline.topics import topic_name
from shared.settings import Settings
from tallyman.door import Door
from tallyman.following import unreachable
from tallyman.output import Format
from tallyman.system import running_broker

_POLL_MS: Final = 500


async def events(
    settings: Settings,
    form: Format,
    kinds: Collection[str],
    *,
    follow: bool,
    from_beginning: bool,
    topic: TopicName = IMAGE_EVENTS,
) -> int:
    """Print the topic's events, oldest first within each image, and return 0.

    kinds: only these, as in `tag.moved` or `tag`; none = all.  follow: go on until stopped, from now on unless
    `from_beginning`.
    """
    async with _kafka(settings) as ready:
        async for record in _records(ready, topic, follow=follow, from_beginning=from_beginning or not follow):
            try:
                event = event_on_kafka(record.headers, record.value)
            except PermanentError as error:
                sys.stderr.write(f"tallyman: record {record.offset} of partition {record.partition}: {error}\n")
                continue
            if kinds and not is_of(event, kinds):
                continue
            line = json.dumps(event, ensure_ascii=False) if form is Format.JSONL else line_of(event)
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 0


@asynccontextmanager
async def _kafka(settings: Settings) -> AsyncIterator[Settings]:
    if settings.kafka is None and (door := await Door.find(settings.data)):
        yield settings.model_copy(update={"kafka": door.kafka})
        return
    if settings.kafka is None and not (settings.data / "kafka").is_dir():
        raise SettingsError(
            f"There are no events in {settings.data} yet: load a registry first (tallyman load "
            "https://registry.example.com), or name the folder that has them with --data."
        )
    async with running_broker(settings) as ready:
        yield ready


async def _records(
    settings: Settings, topic: TopicName, *, follow: bool, from_beginning: bool
) -> AsyncIterator[ConsumerRecord]:
    try:
        async with committed_reader(settings) as consumer:
            name = topic_name(settings, topic)
            sources = [TopicPartition(name, number) for number in range(settings.partitions)]
            ends = await consumer.end_offsets(sources)  # before they are assigned: a fetch would hold it up
            consumer.assign(sources)
            if not from_beginning:
                for source, end in ends.items():
                    consumer.seek(source, end)
            while follow or await is_behind(consumer, ends):
                batch = await consumer.getmany(timeout_ms=_POLL_MS)
                for record in sorted((r for records in batch.values() for r in records), key=lambda r: r.timestamp):
                    yield record
    except KafkaError as error:
        raise unreachable(settings, error) from error


def is_kind(kind: str) -> bool:
    """Return whether there are events of this kind."""
    return any(is_of({"type": known}, (kind,)) for known in EVENTS)


def is_of(event: dict[str, Any], kinds: Collection[str]) -> bool:
    """Return whether an event is of one of these: `tag.moved`, `dev.tallyman.tag.moved`, or `tag` for all such."""
    kind = str(event["type"]).removeprefix(TYPE_PREFIX)
    wanted = {one.removeprefix(TYPE_PREFIX) for one in kinds}
    return kind in wanted or kind.partition(".")[0] in wanted


def line_of(event: dict[str, Any]) -> str:
    """Return the event as one line for a person."""
    data = event["data"]
    kind = event["type"].removeprefix(TYPE_PREFIX)
    time = event["time"][:19].replace("T", " ")
    return f"{time}  {kind:17}  {data['registry']}  {event['subject']}{_more(data)}"


def _more(data: dict[str, Any]) -> str:
    """Return what a line says beside the subject: where a tag went, an image's platform, how a scan ended."""
    if "platform" in data:
        return "  " + "/".join(part for part in (data["platform"]["os"], data["platform"]["architecture"]) if part)
    if "told" in data:
        return f"  {data['from'] or '(none)'} → {data['to']}: {data['told']}"
    if "from" in data:
        return f"  {_short(data['from'])} → {_short(data['to'])}"
    return f"  {data['status']}" if "status" in data else ""


def _short(digest: str | None) -> str:
    return digest[:19] if digest else "(none)"
