"""The trace that goes with messages, with no exporter at work: it is carried on, and never breaks anything."""

import pytest

from shared.messages.scan_requested import ScanRequested
from shared.messages.tracing import carried_on, trace_headers
from shared.observability.tracing import spanned, trace_of, traceparent

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def test_a_request_and_all_that_comes_of_it_are_of_one_trace() -> None:
    request = ScanRequested.model_validate_json(
        '{"registry":"abcdefgh","request":"r1","requested_at":"2026-01-01T00:00:00Z","connection":0,"slot":0,'
        '"shards":1,"partitions":1}'
    ).received_at(5)
    ((name, value),) = trace_headers(request)
    assert name == "traceparent"
    assert value.decode().split("-")[1] == request.context(100).trace == trace_of("r1")


def test_below_a_span_its_id_is_the_parent() -> None:
    carried = [("traceparent", f"00-{TRACE}-{SPAN}-01".encode())]
    with spanned("tagger", [carried], {}):
        assert traceparent(TRACE) == f"00-{TRACE}-{SPAN}-01"
        assert traceparent(trace_of("another")) == f"00-{trace_of('another')}-{trace_of('another')[:16]}-01"
    assert traceparent(TRACE) == f"00-{TRACE}-{TRACE[:16]}-01"


@pytest.mark.parametrize(
    "header", [b"", b"rubbish", b"\xff\xfe", f"00-{'0' * 32}-{SPAN}-01".encode(), b"00-" + b"z" * 32 + b"-1-01"]
)
def test_a_header_that_is_none_is_as_good_as_absent(header: bytes) -> None:
    with spanned("tagger", [[("traceparent", header)]], {}) as failed:
        failed(ValueError("x"))
        assert traceparent(TRACE) == f"00-{TRACE}-{TRACE[:16]}-01"


def test_a_scan_without_a_trace_carries_none() -> None:
    assert carried_on(None) == []
