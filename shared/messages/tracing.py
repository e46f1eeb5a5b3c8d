"""The trace a message belongs to: one a scan, from its request on."""

from shared.messages.model import Message, context_of
from shared.messages.scan_requested import ScanRequested
from shared.observability.tracing import TRACEPARENT, trace_of, traceparent


def trace_headers(message: Message) -> list[tuple[str, bytes]]:
    """Return the Kafka headers that carry the message's trace on; none where it is not known."""
    if isinstance(message, ScanRequested):
        return carried_on(trace_of(message.request))
    context = context_of(message)
    return carried_on(context.trace) if context else []


def carried_on(trace: str | None) -> list[tuple[str, bytes]]:
    """Return the headers that carry a trace on."""
    return [(TRACEPARENT, traceparent(trace).encode())] if trace else []
