"""What a decision sends: its events, what is present now, and the report that the unit is done. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.sink.decision import Decision
from services.sink.ending import Ending
from services.sink.events import State, Telling, event_of_ending
from services.sink.ports import Outgoing
from shared.messages.codec import encode
from shared.messages.image_events import EventsMode
from shared.messages.model import Message, ScanContext
from shared.messages.scan_progressed import ScanEnded, ScanProgressed, UnitReported
from shared.messages.topics import BY_MESSAGE, IMAGE_EVENTS
from shared.messages.tracing import carried_on, trace_headers
from shared.pipeline.partitioning import event_key, event_partition, key_of, partition_of

_JSON: Final = (("content-type", b"application/json"),)


def outgoing(message: Message) -> Outgoing:
    """Return a message of the chain as a record."""
    topic, headers = BY_MESSAGE[type(message)], tuple(trace_headers(message))
    return Outgoing(topic, partition_of(message), key_of(message), encode(message), headers)


@dataclass(frozen=True)
class Sending:
    """Makes records of decisions.  mode: of the events."""

    mode: EventsMode = EventsMode.BINARY

    def of_decision(self, decision: Decision) -> Iterator[Outgoing]:
        """Yield the events of a decision, its states, and the report of its unit."""
        context, repository = decision.context, decision.repository
        key, partition = event_key(context, repository), event_partition(context, repository)
        carried = carried_on(context.trace)
        telling = Telling(decision)
        for event in telling.events():
            headers, value = event.on_kafka(self.mode)
            yield Outgoing(IMAGE_EVENTS, partition, key, value, (*headers, *carried), event.kind)
        for state in telling.states():
            yield _state(context, partition, state)
        report = UnitReported(
            repository=repository,
            outcome=decision.outcome,
            counts=decision.counts,
            failures=decision.failures,
            out_of_scope=decision.out_of_scope,
        )
        yield outgoing(ScanProgressed(context=context, progress=report))

    def of_ending(self, ending: Ending) -> Iterator[Outgoing]:
        """Yield the event that a scan has ended, and word of it for those that wait."""
        context = ending.context
        event = event_of_ending(ending)
        headers, value = event.on_kafka(self.mode)
        key, partition = context.registry.encode(), context.slot % context.partitions
        headers = (*headers, *carried_on(context.trace))
        yield Outgoing(IMAGE_EVENTS, partition, key, value, headers, event.kind)
        yield outgoing(ScanProgressed(context=context, progress=ScanEnded(status=ending.status)))


def _state(context: ScanContext, partition: int, state: State) -> Outgoing:
    """Return the record; it lies where the repository's events do, so that both keep their order."""
    return Outgoing(state.topic, partition, event_key(context, state.of), state.value, _JSON)
