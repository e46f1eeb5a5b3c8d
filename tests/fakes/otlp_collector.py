"""An OpenTelemetry collector that takes traces by OTLP over HTTP, in protobuf, and keeps them.

Source: OpenTelemetry Protocol 1.x, OTLP/HTTP; the messages are those of opentelemetry-proto.
"""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.web import serving


@dataclass(frozen=True)
class Span:
    """service, name: who did what.  trace, id, parent: hex digits.  said: its attributes, all in one."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    said: str


@dataclass
class Collector:
    """A running collector."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Answer a POST; refuse what is no export of traces."""
        if request.content_type != "application/x-protobuf":
            return web.Response(status=415)
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    self.spans.append(Span(named["service.name"], span.name, *ids, str(span.attributes)))
        return web.Response(body=b"", content_type="application/x-protobuf")


@asynccontextmanager
async def otlp_collector() -> AsyncIterator[Collector]:
    """Run a collector until the block ends."""
    collector = Collector()
    async with serving([web.post("/v1/traces", collector.take)]) as collector.url:
        yield collector
