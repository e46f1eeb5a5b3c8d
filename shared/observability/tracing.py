"""One trace a scan: its id goes with each message, and each message's work is a span where spans are exported.

Sources: W3C Trace Context, traceparent; OpenTelemetry, Messaging spans. Without an exporter no span is recorded and a
message costs a few microseconds; its traceparent is there all the same, for whoever joins in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT: Final = "traceparent"
_TRACER: Final = trace.get_tracer("tallyman")
_W3C: Final = TraceContextTextMapPropagator()

Failed = Callable[[Exception], None]
"""Told why the work was not done."""


def trace_of(what: str) -> str:
    """Return a trace id, 32 hex digits, the same for the same `what`."""
    return sha256(what.encode()).hexdigest()[:32]


def traceparent(trace_id: str) -> str:
    """Return the header for what is sent now: by the span at work if it is of this trace, else by the trace's root."""
    at_work = trace.get_current_span().get_span_context()
    span = f"{at_work.span_id:016x}" if f"{at_work.trace_id:032x}" == trace_id else trace_id[:16]
    return f"00-{trace_id}-{span}-01"


@contextmanager
def spanned(
    name: str, carried: Iterable[Iterable[tuple[str, bytes]]], attributes: Mapping[str, str | int]
) -> Iterator[Failed]:
    """Work messages, each in a span of its own below the one that sent it; yield what is told of a failure.

    carried: the headers of each message. With just one, what is sent meanwhile is below its span.
    """
    spans = [_TRACER.start_span(name, _parent(headers), SpanKind.CONSUMER, attributes) for headers in carried]

    def failed(error: Exception) -> None:
        for span in spans:  # by its class: its text may tell what nobody should read
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))

    try:
        if len(spans) == 1:
            with trace.use_span(spans[0], record_exception=False, set_status_on_exception=False):
                yield failed
        else:
            yield failed
    finally:
        for span in spans:
            span.end()


def _parent(headers: Iterable[tuple[str, bytes]]) -> Context:
    carried = next((value for key, value in headers if key == TRACEPARENT), b"")
    return _W3C.extract({TRACEPARENT: carried.decode("ascii", "replace")}, Context())


@contextmanager
def traces_exported(endpoint: str | None, service: str) -> Iterator[None]:
    """Send spans by OTLP over HTTP while the block runs; without an endpoint, do nothing."""
    if endpoint is None:
        yield
        return
    # Imported here: it takes half a second, and most have no collector.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: f"tallyman-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
