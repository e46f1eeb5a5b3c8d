"""A connection's status: what a check came to, kept for its list, and told where it is another than before."""

from datetime import datetime

from shared.connections.topic import ConnectionsTopic
from shared.connections.writer import SoleWriter, as_sole_writer
from shared.messages.cloud_events import CloudEvent, identity, of_registry
from shared.messages.connection_changed import Connection
from shared.messages.connection_notes import Health, StatusChecked
from shared.messages.image_events import EventsMode, EventType, StatusEvent
from shared.messages.topics import IMAGE_EVENTS
from shared.observability.metrics import EVENTS
from shared.pipeline.topics import topic_name
from shared.registry.checkup.result import Outcome, StageChecked
from shared.settings import Settings


def status_of(connection: Connection, stages: tuple[StageChecked, ...], at: datetime) -> StatusChecked:
    """Return the status that a check's stages come to: the worst of them, the first of equals."""
    for outcome, health in ((Outcome.FAILED, Health.FAILED), (Outcome.WARNING, Health.WARNING)):
        found = next((stage for stage in stages if stage.outcome is outcome), None)
        if found is not None:
            return StatusChecked(
                registry=connection.registry,
                revision=connection.revision,
                health=health,
                stage=found.stage.value,
                told=found.told,
                checked_at=at,
            )
    return StatusChecked(
        registry=connection.registry,
        revision=connection.revision,
        health=Health.OK,
        told="All stages passed.",
        checked_at=at,
    )


async def keep_status(settings: Settings, topic: ConnectionsTopic, status: StatusChecked) -> int | None:
    """Keep a status, and tell it in the same transaction where it is another than the one before.

    Return its offset; None where it was not kept: the connection was deleted meanwhile.
    Raises TransientError where Kafka is down.
    """
    key = StatusChecked.key(status.registry)

    async def work(writer: SoleWriter) -> int | None:
        connection, before = writer.now.connection(status.registry), writer.now.note(StatusChecked, status.registry)
        if connection is None:
            return None
        if before != status:  # else we were fenced, but only after the commit
            async with writer.transaction():
                await writer.put(key, status)
                if before is None or before.health is not status.health:
                    await _tell(settings, writer, connection, before.health if before else None, status)
                    EVENTS.labels(EventType.STATUS_CHANGED).inc()
        recorded = writer.now.recorded(key)
        return recorded.offset if recorded is not None else None

    return await as_sole_writer(topic, work)


async def _tell(
    settings: Settings, writer: SoleWriter, connection: Connection, before: Health | None, status: StatusChecked
) -> None:
    told = StatusEvent(
        registry=connection.name,
        registry_id=connection.registry,
        host=connection.host,
        previous=before,
        health=status.health,
        stage=status.stage,
        told=status.told,
    )
    kind, at = EventType.STATUS_CHANGED, status.checked_at
    id_ = identity(connection.registry, "", "", before or "", status.health, kind, at.isoformat())
    event = CloudEvent.of(id_, kind, of_registry(connection.registry), f"connection/{connection.registry}", at, told)
    headers, value = event.on_kafka(EventsMode(settings.events_mode))
    partition = connection.slot % settings.partitions
    await writer.send(topic_name(settings, IMAGE_EVENTS), partition, connection.registry.encode(), value, headers)
