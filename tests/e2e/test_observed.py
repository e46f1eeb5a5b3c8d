"""Services as those see them who watch: numbers of each, JSON logs, one trace a scan in headers, logs and spans."""

import asyncio
import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from shared.messages.topics import CHAIN, IMAGE_EVENTS
from shared.pipeline.broker_properties import free_ports
from shared.settings import Settings
from tests.e2e.service_processes import STAGES, Services, running_services
from tests.e2e.small_registry import REPOSITORY, SmallRegistry, manifest_path
from tests.e2e.tallyman_commands import Tallyman
from tests.fakes.hostile_registry import Reply, hostile_registry
from tests.fakes.otlp_collector import Collector, otlp_collector
from tests.support.worker import records_of


async def test_a_load_is_seen_in_numbers_logs_and_one_trace(
    settings: Settings, environment: Mapping[str, str], distributed: Tallyman, tmp_path: Path
) -> None:
    ports = dict(zip(STAGES, (*free_ports(), *free_ports()), strict=True))
    async with otlp_collector() as collector, hostile_registry() as fake:
        registry = SmallRegistry(fake)
        registry.fill()
        registry.breaks(manifest_path("2.0"), Reply(500))
        watched = {**environment, "TALLYMAN_OTLP": collector.url, "TALLYMAN_LOG_FORMAT": "json"}
        watched |= {"TALLYMAN_ATTEMPTS": "2", "TALLYMAN_LOG_LEVEL": "debug"}
        each = {stage: {"TALLYMAN_METRICS": f"127.0.0.1:{port}"} for stage, port in ports.items()}
        async with running_services(watched, tmp_path, each=1, beside=each) as services:
            (told,) = (await distributed("load", registry.url, "--type", "v2", "--json", code=3)).objects()
            numbers = {stage: await asyncio.to_thread(scraped, port) for stage, port in ports.items()}
        trace = await the_trace_of(settings)
    assert_spans(collector, trace)
    assert_numbers(numbers)
    assert_logs(services, trace, told)


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def assert_numbers(numbers: Mapping[str, str]) -> None:
    for stage in ("lister", "tagger", "manifester"):
        assert f'tallyman_stage_messages_total{{outcome="succeeded",stage="{stage}"}} 1.0' in numbers[stage]
    manifester = numbers["manifester"]
    assert 'kind="manifest"' in manifester
    assert 'status="500"' in manifester
    assert 'stage="manifester",topic="' in manifester
    assert 'tallyman_events_total{type="image.discovered"} 2.0' in numbers["sink"]
    assert "process_resident_memory_bytes" in numbers["sink"]
    assert 'tallyman_stage_lag{partition="0",stage="sink"' in numbers["sink"]
    for told in numbers.values():
        assert REPOSITORY not in told


async def the_trace_of(settings: Settings) -> str:
    """Return the one trace that all messages of the scan carry, its events too."""
    found = set()
    for topic in (*CHAIN, IMAGE_EVENTS):
        records = await records_of(settings, topic)
        assert records, topic
        for record in records:
            assert "traceparent" in dict(record.headers), record
            version, trace, span, flags = dict(record.headers)["traceparent"].decode().split("-")
            assert (version, len(span), flags) == ("00", 16, "01")
            found.add(trace)
    (trace,) = found
    assert len(trace) == 32
    return trace


def assert_spans(collector: Collector, trace: str) -> None:
    of_scan = [span for span in collector.spans if span.trace == trace]
    for stage, topic in zip(
        STAGES, ("scan.requested", "repository.found", "tags.found", "images.observed"), strict=True
    ):
        assert [span for span in of_scan if (span.service, span.name) == (f"tallyman-{stage}", f"{stage} {topic}")]
    ids = {span.id for span in of_scan}
    tagger = next(span for span in of_scan if span.service == "tallyman-tagger")
    assert tagger.parent in ids  # below the lister's


def assert_logs(services: Services, trace: str, told: Mapping[str, object]) -> None:
    lines = [json.loads(line) for log in services.logs.glob("*.log") for line in log.read_text().splitlines()]
    assert {line["stage"] for line in lines} >= {"lister", "tagger", "manifester"}
    for line in lines:
        assert {"timestamp", "level", "stage", "event"} <= line.keys(), line
    of_scan = [line for line in lines if "scan" in line]
    assert {line["stage"] for line in of_scan} == {"tagger", "manifester"}  # a request has no number yet
    for line in of_scan:
        assert line["trace"] == trace
        assert line["scan"] == told["scan_id"]
        assert line["registry"]
