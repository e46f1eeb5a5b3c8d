"""Every number that a process of Tallyman tells of itself, in one list: what measures says it here.

The console adds what only the store knows (services.console.metrics). Names and units follow Prometheus's conventions.
`registry` is the connection's name. A process tells what it did itself; add up over processes.
"""

from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Summary, disable_created_metrics

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS: Final = (1, 10, 100, 1_000, 3_000, 10_000, 30_000, 100_000)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a third of all lines, and no question they answer

NUMBERS: Final = REGISTRY
"""Where they are kept; the process's own CPU time and memory are among them."""

REQUESTS: Final = Counter(
    "tallyman_registry_requests",
    "Requests written to a registry, its token service or its storage, by what was asked for and what came back: the "
    "status, or failed.",
    ["registry", "kind", "status"],
)
REQUEST_SECONDS: Final = Summary(
    "tallyman_registry_request_seconds", "From a request's write to the answer's headers.", ["registry"]
)
BUDGET_WAIT_SECONDS: Final = Summary(
    "tallyman_registry_wait_seconds", "What requests waited for their turn within max RPS.", ["registry"]
)
IN_FLIGHT: Final = Gauge("tallyman_registry_in_flight", "Requests written and not yet over.", ["registry"])

GRANTED_RPS: Final = Gauge(
    "tallyman_registry_granted_rps", "This process's share of a registry's max RPS.", ["registry"]
)
GRANTED_CONNECTIONS: Final = Gauge(
    "tallyman_registry_granted_connections", "This process's share of its connections.", ["registry"]
)
OPEN_CONNECTIONS: Final = Gauge(
    "tallyman_registry_open_connections", "Connections this process has open.", ["registry"]
)
BREAKER_OPEN: Final = Gauge(
    "tallyman_registry_breaker_open", "1 while this process asks nothing, since nothing was answered.", ["registry"]
)

LAG: Final = Gauge(
    "tallyman_stage_lag",
    "Messages of a partition that the stage has yet to finish: from what it committed to the partition's end.",
    ["stage", "topic", "partition"],
)
DEAD_LETTERS: Final = Counter("tallyman_dead_letters", "Messages given up.", ["stage"])
SENT: Final = Counter("tallyman_messages_sent", "Messages sent, events and states included.", ["stage", "topic"])

BATCH_MESSAGES: Final = Histogram(
    "tallyman_sink_batch_messages", "Messages of one batch of the sink.", ["topic"], buckets=_ROWS
)
BATCH_SECONDS: Final = Histogram(
    "tallyman_sink_batch_seconds", "From a batch's begin to its commit.", ["topic"], buckets=_SECONDS
)
EVENTS: Final = Counter("tallyman_events", "Events published, by type.", ["type"])

INSERT_SECONDS: Final = Histogram(
    "tallyman_store_insert_seconds", "What one insert into a table took.", ["table"], buckets=_SECONDS
)
INSERT_ROWS: Final = Histogram("tallyman_store_insert_rows", "Rows of one insert.", ["table"], buckets=_ROWS)
QUERY_SECONDS: Final = Summary("tallyman_store_query_seconds", "What one query of the store took.")
