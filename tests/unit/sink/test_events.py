"""Public events: CloudEvents in Kafka's binary mode, with ids that a replay repeats."""

import json
from typing import Any
from uuid import UUID

import pytest

from services.sink.decision import Change, ChangeType, Decision
from services.sink.ending import Ending
from services.sink.events import Event, event_of_ending, events_of
from shared.messages.scan_progressed import Counts
from tests.unit.sink.samples import (
    BEGINNING,
    FACTS,
    NOTHING,
    REGISTRY,
    REPOSITORY,
    context,
    decided,
    digest,
    manifest,
    seen,
    state_of,
)

FIRST = decided(NOTHING, seen(1, {"1": "a", "2": "b"}))
MOVED = decided(state_of(seen(1, {"1": "a", "2": "b"})), seen(2, {"1": "c"}))


def headers(event: Event) -> dict[str, str]:
    return {name: value.decode() for name, value in event.headers}


def data(event: Event) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(event.value)
    return told


def by_type(decision: Decision) -> dict[str, Event]:
    return {headers(event)["ce_type"].removeprefix("dev.tallyman."): event for event in events_of(decision)}


def test_an_event_has_the_attributes_of_a_cloud_event_in_its_headers() -> None:
    told = headers(by_type(MOVED)["tag.moved"])
    assert UUID(told.pop("ce_id")).version == 5
    assert told == {
        "ce_specversion": "1.0",
        "ce_source": f"urn:tallyman:registry:{REGISTRY}",
        "ce_type": "dev.tallyman.tag.moved",
        "ce_subject": "team/app:1",
        "ce_time": "2026-01-01T02:00:00Z",
        "content-type": "application/json",
    }


def test_a_moved_tag_tells_both_ends_and_how_to_pull_the_new_one() -> None:
    assert data(by_type(MOVED)["tag.moved"]) == {
        "registry": "prod",
        "registry_id": REGISTRY,
        "host": "https://registry.example.com",
        "scan_id": 2,
        "repository": REPOSITORY,
        "tag": "1",
        "from": digest("a"),
        "to": digest("c"),
        "reference": f"registry.example.com/team/app@{digest('c')}",
    }


def test_a_created_tag_comes_from_nowhere_and_a_removed_one_goes_there() -> None:
    created, removed = data(by_type(FIRST)["tag.created"]), data(by_type(MOVED)["tag.removed"])
    assert created["from"] is None
    assert (removed["from"], removed["to"], removed["reference"]) == (digest("b"), None, None)


def test_an_image_tells_what_a_scanner_needs() -> None:
    facts = manifest("a", media_type="application/x", size_bytes=7, created=BEGINNING)
    (event,) = [e for e in events_of(decided(NOTHING, seen(1, {"1": "a"}, manifests=[facts]))) if "@" in subject(e)]
    told = data(event)
    assert subject(event) == f"team/app@{digest('a')}"
    assert told["reference"] == f"registry.example.com/team/app@{digest('a')}"
    assert told["platform"] == {"os": "linux", "architecture": "a", "variant": "", "os_version": ""}
    assert (told["media_type"], told["size_bytes"], told["created"]) == (
        "application/x",
        7,
        "2026-01-01T00:00:00+00:00",
    )
    assert told["tags"] == ["1"]


def test_a_purl_names_the_image_as_the_purl_spec_says() -> None:
    purl = data(by_type(FIRST)["image.discovered"])["purl"]
    image = data(by_type(FIRST)["image.discovered"])["digest"].replace(":", "%3A")
    arch = data(by_type(FIRST)["image.discovered"])["platform"]["architecture"]
    assert purl == f"pkg:oci/app@{image}?arch={arch}&repository_url=registry.example.com%2Fteam%2Fapp"


def test_a_removed_image_tells_what_it_was() -> None:
    told = data(by_type(MOVED)["image.removed"])
    assert told["platform"]["os"] == "linux"
    assert told["tags"] == []


def test_ids_are_the_same_whenever_the_same_is_told() -> None:
    replayed = Decision.model_validate_json(MOVED.model_dump_json())
    assert [(e.headers, e.value) for e in events_of(replayed)] == [(e.headers, e.value) for e in events_of(MOVED)]


def test_ids_differ_in_whatever_makes_two_changes_different() -> None:
    base = Change(type=ChangeType.TAG_MOVED, tag="1", previous=digest("a"), digest=digest("b"))
    changes = [
        base,
        base.model_copy(update={"tag": "2"}),
        base.model_copy(update={"previous": digest("c")}),
        base.model_copy(update={"digest": digest("c")}),
        base.model_copy(update={"type": ChangeType.TAG_CREATED}),
        base.model_copy(update={"previous": base.digest, "digest": base.previous}),
    ]
    decision = MOVED.model_copy(update={"changes": tuple(changes)})
    others = [
        decision.model_copy(update={"repository": "other"}),
        decision.model_copy(update={"context": context(3)}),
        decision.model_copy(update={"context": context(2).model_copy(update={"registry": "registry2"})}),
    ]
    ids = [headers(event)["ce_id"] for told in (decision, *others) for event in events_of(told)]
    assert len(set(ids)) == len(ids) == 24


@pytest.mark.parametrize(
    ("status", "kind"), [("complete", "scan.completed"), ("partial", "scan.completed"), ("failed", "scan.failed")]
)
def test_the_end_of_a_scan_is_told_with_its_counts(status: Any, kind: str) -> None:
    ending = Ending(
        context=context(9),
        registry=FACTS,
        status=status,
        reason="manual",
        ended_at=BEGINNING,
        repositories=3,
        counts=Counts(tags=5, failed=1),
    )
    event = event_of_ending(ending)
    assert headers(event)["ce_type"] == f"dev.tallyman.{kind}"
    assert headers(event)["ce_subject"] == "scan/9"
    told = data(event)
    assert (told["status"], told["repositories"], told["tags"], told["failed"]) == (status, 3, 5, 1)
    assert event.repository is None


def test_names_of_any_script_travel_as_they_are() -> None:
    told = by_type(decided(NOTHING, seen(1, {"öffentlich-发布": "a"})))["tag.created"]
    assert data(told)["tag"] == "öffentlich-发布"
    assert headers(told)["ce_subject"] == "team/app:öffentlich-发布"


def subject(event: Event) -> str:
    return headers(event)["ce_subject"]
