"""Public events: CloudEvents in Kafka's binary mode, with ids that a replay repeats."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from services.sink.decision import Change, ChangeType, Decision
from services.sink.ending import Ending
from services.sink.events import State, Telling, event_of_ending
from shared.errors import PermanentError
from shared.messages.cloud_events import CloudEvent, event_on_kafka, identity
from shared.messages.image_events import (
    EVENTS,
    EventsMode,
    EventType,
    ImageEvent,
    ImageState,
    Public,
    TagEvent,
    TagState,
)
from shared.messages.model import ScanKind, ScanReason
from shared.messages.scan_progressed import Counts
from shared.messages.topics import IMAGE_STATE, TAG_STATE
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


ENDED = Ending(
    context=context(9),
    registry=FACTS,
    status="complete",
    reason="manual",
    ended_at=BEGINNING,
    repositories=3,
    counts=Counts(tags=5, failed=1),
)


def headers(event: CloudEvent) -> dict[str, str]:
    return {name: value.decode() for name, value in event.on_kafka(EventsMode.BINARY)[0]}


def data(event: CloudEvent) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(event.on_kafka(EventsMode.BINARY)[1])
    return told


def by_type(decision: Decision) -> dict[str, CloudEvent]:
    return {headers(event)["ce_type"].removeprefix("dev.tallyman."): event for event in Telling(decision).events()}


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
        "reason": "manual",
        "observed_by": "sweep",
        "repository": REPOSITORY,
        "snapshot": False,
        "tag": "1",
        "from": digest("a"),
        "to": digest("c"),
        "reference": f"registry.example.com/team/app@{digest('c')}",
        "images": [digest("c")],
    }


def test_a_created_tag_comes_from_nowhere_and_a_removed_one_goes_there() -> None:
    created, removed = data(by_type(FIRST)["tag.created"]), data(by_type(MOVED)["tag.removed"])
    assert created["from"] is None
    assert (removed["from"], removed["to"], removed["reference"]) == (digest("b"), None, None)


def test_an_image_tells_what_a_scanner_needs() -> None:
    facts = manifest("a", media_type="application/x", size_bytes=7, created=BEGINNING)
    (event,) = [
        e for e in Telling(decided(NOTHING, seen(1, {"1": "a"}, manifests=[facts]))).events() if "@" in subject(e)
    ]
    told = data(event)
    assert subject(event) == f"team/app@{digest('a')}"
    assert told["reference"] == f"registry.example.com/team/app@{digest('a')}"
    assert told["platform"] == {"os": "linux", "architecture": "a", "variant": "", "os_version": ""}
    assert (told["media_type"], told["size_bytes"], told["created"]) == (
        "application/x",
        7,
        "2026-01-01T00:00:00Z",
    )
    assert told["tags"] == ["1"]
    assert told["first_seen"] == "2026-01-01T01:00:00Z"


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
    assert list(Telling(replayed).events()) == list(Telling(MOVED).events())
    assert list(Telling(replayed).states()) == list(Telling(MOVED).states())


def test_ids_differ_in_whatever_makes_two_changes_different() -> None:
    base = Change(type=ChangeType.TAG_MOVED, tag="1", previous=digest("a"), digest=digest("b"))
    changes = [
        base,
        replace(base, tag="2"),
        replace(base, previous=digest("c")),
        replace(base, digest=digest("c")),
        replace(base, type=ChangeType.TAG_CREATED),
        replace(base, previous=base.digest, digest=base.previous),
    ]
    decision = MOVED.model_copy(update={"changes": tuple(changes)})
    others = [
        decision.model_copy(update={"repository": "other"}),
        decision.model_copy(update={"context": context(3)}),
        decision.model_copy(update={"context": context(2).model_copy(update={"registry": "registry2"})}),
    ]
    ids = [headers(event)["ce_id"] for told in (decision, *others) for event in Telling(told).events()]
    assert len(set(ids)) == len(ids) == 24


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("complete", "scan.completed"),
        ("partial", "scan.completed"),
        ("held", "scan.completed"),
        ("failed", "scan.failed"),
    ],
)
def test_the_end_of_a_scan_is_told_with_its_counts(status: Any, kind: str) -> None:
    event = event_of_ending(ENDED.model_copy(update={"status": status}))
    assert headers(event)["ce_type"] == f"dev.tallyman.{kind}"
    assert headers(event)["ce_subject"] == "scan/9"
    told = data(event)
    assert (told["status"], told["repositories"], told["tags"], told["failed"]) == (status, 3, 5, 1)
    assert (told["kind"], told["observed_by"]) == ("full", "sweep")


def test_names_of_any_script_travel_as_they_are() -> None:
    told = by_type(decided(NOTHING, seen(1, {"öffentlich-发布": "a"})))["tag.created"]
    assert data(told)["tag"] == "öffentlich-发布"
    assert headers(told)["ce_subject"] == "team/app:öffentlich-发布"


def told_of(decision: Decision) -> Iterator[tuple[type[Public], bytes]]:
    """Yield the model and the JSON of every record that a decision sends."""
    for event in Telling(decision).events():
        yield EVENTS[event.kind], event.data
    for state in Telling(decision).states():
        if state.value is not None:
            yield {IMAGE_STATE: ImageState, TAG_STATE: TagState}[state.topic], state.value


@pytest.mark.parametrize("decision", [FIRST, MOVED, FIRST.model_copy(update={"snapshot": True})])
def test_every_record_is_what_its_model_says_and_nothing_more(decision: Decision) -> None:
    models = set()
    for model, told in told_of(decision):
        read = model.model_validate_json(told)
        assert json.loads(told) == json.loads(read.model_dump_json(by_alias=True))
        models.add(model)
    assert models == {ImageEvent, TagEvent, ImageState, TagState}


def test_an_id_is_the_uuid_of_its_words() -> None:
    words = ("registry1", "team/äpp", "1", "", digest("a"), EventType.TAG_CREATED, "7")
    namespace = UUID("6f1b2f1e-6a52-5d7c-9a37-3a1f1c1c7a11")
    assert identity(*words[:5], EventType.TAG_CREATED, 7) == str(uuid5(namespace, "\n".join(words)))


def subject(event: CloudEvent) -> str:
    return headers(event)["ce_subject"]


@pytest.mark.parametrize(
    ("kind", "reason", "told"),
    [
        (ScanKind.FULL, ScanReason.SCHEDULE, "sweep"),
        (ScanKind.FULL, ScanReason.MANUAL, "sweep"),
        (ScanKind.REPOSITORY, ScanReason.MANUAL, "manual"),
        (ScanKind.REPOSITORY, ScanReason.WEBHOOK, "webhook"),
        (ScanKind.TAG, ScanReason.WEBHOOK, "webhook"),
    ],
)
def test_an_event_tells_who_asked_and_what_made_us_look(kind: ScanKind, reason: ScanReason, told: str) -> None:
    asked = FIRST.model_copy(update={"context": context(1, kind, reason=reason), "snapshot": True})
    events = list(Telling(asked).events())
    assert events
    for event in events:
        assert (data(event)["reason"], data(event)["observed_by"], data(event)["snapshot"]) == (reason, told, True)


def test_a_structured_event_holds_all_that_a_binary_one_does() -> None:
    events = list(Telling(MOVED).events())
    assert events
    for event in events:
        binary = event_on_kafka(*event.on_kafka(EventsMode.BINARY))
        structured = event_on_kafka(*event.on_kafka(EventsMode.STRUCTURED))
        assert structured == binary
        (content_type,) = event.on_kafka(EventsMode.STRUCTURED)[0]
        assert content_type == ("content-type", b"application/cloudevents+json")


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"{}", b'"text"'])
def test_a_record_that_is_no_event_is_refused_with_the_reason(value: bytes) -> None:
    for told in (b"application/cloudevents+json", b"application/json"):
        with pytest.raises(PermanentError, match=r"no JSON|no CloudEvent"):
            event_on_kafka([("content-type", told)], value)


def states(decision: Decision) -> dict[tuple[str, str], State]:
    return {(state.topic.name, state.of): state for state in Telling(decision).states()}


def test_what_is_present_is_told_by_identity_and_what_is_gone_by_a_tombstone() -> None:
    told = states(MOVED)
    assert {key: state.value is None for key, state in told.items()} == {
        (IMAGE_STATE.name, f"team/app@{digest('a')}"): True,
        (IMAGE_STATE.name, f"team/app@{digest('b')}"): True,
        (IMAGE_STATE.name, f"team/app@{digest('c')}"): False,
        (TAG_STATE.name, "team/app:1"): False,
        (TAG_STATE.name, "team/app:2"): True,
    }
    tag = told[TAG_STATE.name, "team/app:1"].value
    assert tag is not None
    assert json.loads(tag) == {
        "registry": "prod",
        "registry_id": REGISTRY,
        "host": "https://registry.example.com",
        "scan_id": 2,
        "repository": REPOSITORY,
        "tag": "1",
        "digest": digest("c"),
        "reference": f"registry.example.com/team/app@{digest('c')}",
        "images": [digest("c")],
    }


def test_a_tag_of_an_index_tells_the_images_it_reaches_and_one_of_a_chart_none() -> None:
    facts = [manifest("pair", "index", ["amd64", "arm64"]), manifest("amd64"), manifest("arm64")]
    decision = decided(NOTHING, seen(1, {"1": "pair"}, manifests=facts))
    members = sorted([digest("amd64"), digest("arm64")])
    assert data(by_type(decision)["tag.created"])["images"] == members
    state = states(decision)[TAG_STATE.name, "team/app:1"].value
    assert state is not None
    assert json.loads(state)["images"] == members
    assert (IMAGE_STATE.name, f"team/app@{digest('pair')}") not in states(decision)
    chart = decided(NOTHING, seen(1, {"1": "chart"}, manifests=[manifest("chart", "artifact")]))
    assert data(by_type(chart)["tag.created"])["images"] == []


def test_a_first_load_ranks_images_by_how_new_their_tags_are_and_nothing_else_ranks_them() -> None:
    old, new = (BEGINNING + timedelta(days=days) for days in (1, 2))
    index = manifest("index", "index", children=("amd64", "arm64"))
    facts = [
        manifest("old", created=old),
        manifest("untold"),
        index,
        manifest("amd64", created=new),
        manifest("arm64", created=old),
    ]
    tags = {"1": "old", "2": "untold", "3": "index", "again": "old"}
    decision = decided(NOTHING, seen(1, tags, manifests=facts))
    ranks = {told["digest"]: told["snapshot_rank"] for told in _images(decision.model_copy(update={"snapshot": True}))}
    assert ranks == {digest("amd64"): 1, digest("arm64"): 1, digest("old"): 2, digest("untold"): 4}
    assert {told["snapshot_rank"] for told in _images(decision)} == {None}


def _images(decision: Decision) -> list[dict[str, Any]]:
    told = [data(event) for event in Telling(decision).events()]
    return [one for one in told if "snapshot_rank" in one]
