"""The numbers after a load: told in Prometheus's form, and nothing asks for a number that is not there."""

import json
import re
from collections.abc import Iterator, Mapping

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.source_tree import ROOT
from tests.fakes.product.server import ProductServer
from tests.integration.console.conftest import Console
from tests.integration.console.test_connections_api import created, loaded

MONITORING = ROOT / "docs" / "monitoring"
_NAME = re.compile(r"\b(?:tallyman|process)_[a-z0-9_]+")


def queries() -> Iterator[tuple[str, str]]:
    """Yield (where, query) of the dashboard and the alarms."""
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    alarms = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    for rule in alarms["groups"][0]["rules"]:
        yield rule["alert"], rule["expr"]


Numbers = Mapping[str, set[str]]
"""Labels, by name of sample; none for what has no sample yet."""


@pytest.fixture
async def text(console: Console, api: httpx.AsyncClient, server: ProductServer) -> str:
    """What `/metrics` tells after a load of a registry that has webhooks."""
    name = (await created(api, server))["name"]
    (await api.post(f"/connections/{name}/hook-secret")).raise_for_status()
    assert (await loaded(api, name))["status"] == "complete"
    async with console.client() as guest:
        return (await guest.get("/metrics")).raise_for_status().text


def numbers_of(text: str) -> Numbers:
    told: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for name in (family.name, f"{family.name}_total", *(sample.name for sample in family.samples)):
            told.setdefault(name, set())
        for sample in family.samples:
            told[sample.name] |= sample.labels.keys()
    return told


async def test_dashboard_and_alarms_ask_for_what_is_there(text: str) -> None:
    numbers = numbers_of(text)
    asked = {(where, name) for where, query in queries() for name in _NAME.findall(query)}
    assert len(asked) > 40
    assert {(where, name) for where, name in asked if name not in numbers} == set()
    for where, query in queries():
        for name, labels in re.findall(r"(tallyman_\w+)\{([^}]*)\}", query):
            named = set(re.findall(r"(\w+)=", labels))
            assert not numbers[name] or named <= numbers[name], (where, name)


async def test_every_number_of_ours_is_shown(text: str) -> None:
    shown = {name for _, query in queries() for name in _NAME.findall(query)}
    families = {family.name for family in text_string_to_metric_families(text) if family.name.startswith("tallyman_")}
    assert {name for name in families if not any(one.startswith(name) for one in shown)} == set()


async def test_a_load_is_counted_at_every_stage(text: str, server: ProductServer) -> None:
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    registry = ("registry", f"con-{server.number}")
    for kind, least in (("catalog", 1), ("tags", 7), ("manifest", 60), ("blob", 1)):
        assert samples["tallyman_registry_requests_total", ("kind", kind), registry, ("status", "200")] >= least
    assert samples["tallyman_registry_in_flight", registry] == 0
    assert samples["tallyman_registry_request_seconds_count", registry] >= 70
    assert samples["tallyman_registry_wait_seconds_count", registry] >= 70
    assert ("tallyman_registry_granted_rps", registry) in samples
    for stage in ("lister", "tagger", "manifester"):
        assert samples["tallyman_stage_messages_total", ("outcome", "succeeded"), ("stage", stage)] >= 1
    assert samples["tallyman_scan_repositories", ("of", "done"), registry] >= 8
    assert samples["tallyman_scan_running", registry] == 0
    assert ("tallyman_hook_drift", registry) in samples
    assert samples["tallyman_events_total", ("type", "tag.created")] >= 60
    assert samples["tallyman_sink_batch_messages_count", ("topic", "images.observed")] >= 1
    assert samples["tallyman_store_insert_seconds_count", ("table", "tags")] >= 1
