"""What a decision sends: its events, then the report that the unit is done. Pure."""

from collections.abc import Iterator

from services.sink.decision import Decision
from services.sink.ending import Ending
from services.sink.events import Event, event_of_ending, events_of
from services.sink.ports import Outgoing
from shared.messages.codec import encode
from shared.messages.model import Message
from shared.messages.scan_progressed import ScanEnded, ScanProgressed, UnitReported
from shared.messages.topics import BY_MESSAGE, IMAGE_EVENTS
from shared.pipeline.partitioning import event_key, event_partition, key_of, partition_of


def outgoing(message: Message) -> Outgoing:
    """Return a message of the chain as a record."""
    return Outgoing(BY_MESSAGE[type(message)], partition_of(message), key_of(message), encode(message))


def sent_for_decision(decision: Decision) -> Iterator[Outgoing]:
    """Yield the events of a decision and the report of its unit."""
    for event in events_of(decision):
        yield _event(event)
    report = UnitReported(
        repository=decision.repository,
        outcome=decision.outcome,
        counts=decision.counts,
        failures=decision.failures,
        out_of_scope=decision.out_of_scope,
    )
    yield outgoing(ScanProgressed(context=decision.context, progress=report))


def sent_for_ending(ending: Ending) -> Iterator[Outgoing]:
    """Yield the event that a scan has ended, and word of it for those that wait."""
    yield _event(event_of_ending(ending))
    yield outgoing(ScanProgressed(context=ending.context, progress=ScanEnded(status=ending.status)))


def _event(event: Event) -> Outgoing:
    context = event.context
    if event.repository is None:
        key, partition = context.registry.encode(), context.slot % context.partitions
    else:
        key, partition = event_key(context, event.repository), event_partition(context, event.repository)
    return Outgoing(IMAGE_EVENTS, partition, key, event.value, event.headers)
