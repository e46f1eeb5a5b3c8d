"""Assertions that what a user is shown agrees with the truth about an estate."""

import uuid
from collections import Counter
from collections.abc import Sequence

from tests.e2e import truth
from tests.e2e.tallyman_commands import Tallyman
from tests.e2e.truth import Row, Told
from tests.support.generator import Estate

STATE = ("images", "tags", "tag_history", "index_children")


def assert_counts(told: Row, estate: Estate, events: list[Told]) -> None:
    """Assert that a load told the estate's numbers and those of the events."""
    expected = truth.counts(estate) | {
        "status": "complete",
        "discovered": truth.discovered(events),
        "removed": truth.removed(events),
    }
    assert {name: told[name] for name in expected} == expected


async def assert_shown(tallyman: Tallyman, registry: str, estate: Estate, *earlier: Estate) -> None:
    """Assert that images, tags and artifacts are shown as the estate has them, in this order, and no others."""
    images = await tallyman.rows("images", "--registry", registry)
    assert without_times(images) == truth.image_rows(estate, registry, *earlier)
    assert without_times(await tallyman.rows("tags", "--registry", registry)) == truth.tag_rows(estate, registry)
    artifacts = f"SELECT * FROM current_artifacts WHERE registry = '{registry}' ORDER BY repository, digest"
    assert without_times(await tallyman.sql(artifacts)) == truth.artifact_rows(estate, registry, *earlier)


def without_times(rows: list[Row]) -> list[Row]:
    assert all(row[name] for row in rows for name in row.keys() & truth.TIMES)
    return [{name: value for name, value in row.items() if name not in truth.TIMES} for row in rows]


async def assert_scan_shown(tallyman: Tallyman, told: Row) -> None:
    """Assert that the newest scan shown tells of the load what the load itself told."""
    scan = (await tallyman.rows("scans", "--registry", told["registry"]))[0]
    same = told.keys() - {"seconds", "scan_id"}
    assert {name: scan[name] for name in same} == {name: told[name] for name in same}
    assert (scan["scan_id"], scan["reason"]) == (told["scan_id"], "manual")
    assert scan["started_at"] < scan["completed_at"]


async def assert_no_state_written(tallyman: Tallyman, scan: int) -> None:
    """Assert that the scan wrote no row of state but the listings'."""
    for table in STATE:
        written = f"SELECT count() AS rows FROM {table} INNER JOIN registries USING registry WHERE name = 'estate'"
        assert await tallyman.sql(f"{written} AND {table}.version = {scan}") == [{"rows": 0}], table


async def assert_moves_shown(tallyman: Tallyman, scan: int, told: list[Told]) -> None:
    """Assert that the history shows the scan's tag events, and only those."""
    moves = await tallyman.sql(f"SELECT * FROM tag_moves WHERE registry = 'estate' AND scan = {scan}")
    assert Counter((f"{m['repository']}:{m['tag']}", m["from_digest"], m["to_digest"]) for m in moves) == Counter(
        (event.subject, event.before or "", event.after or "") for event in told if event.type.startswith("tag.")
    )


async def assert_events(
    tallyman: Tallyman, load: Row, host: str, expected: list[Told], before: Sequence[Row] = ()
) -> list[Row]:
    """Assert that, after those before, exactly the expected events and the scan's end were told; return them."""
    every = [event for event in await tallyman.rows("events") if event["data"]["registry"] == load["registry"]]
    assert len({event["id"] for event in every}) == len(every)
    known = {event["id"] for event in before}
    events = [event for event in every if event["id"] not in known]
    assert len(events) == len(every) - len(before)
    for event in events:
        assert_well_formed(event, load, host)
    ends = [event for event in events if event["type"] == "dev.tallyman.scan.completed"]
    assert [(end["subject"], end["data"]["status"]) for end in ends] == [(f"scan/{load['scan_id']}", "complete")]
    assert {name: ends[0]["data"][name] for name in ("tags", "discovered", "removed", "requests")} == {
        name: load[name] for name in ("tags", "discovered", "removed", "requests")
    }
    assert Counter(map(told_by, events)) - Counter(map(told_by, ends)) == Counter(expected)
    return events


def told_by(event: Row) -> Told:
    data = event["data"]
    kind = event["type"].removeprefix("dev.tallyman.")
    return Told(
        kind, event["subject"], data.get("from"), data.get("to"), tuple(data["tags"]) if "digest" in data else ()
    )


def assert_well_formed(event: Row, load: Row, host: str) -> None:
    """Assert what CloudEvents 1.0 asks of an event, and that its reader can find what it is about."""
    data = event["data"]
    assert event["specversion"] == "1.0"
    assert uuid.UUID(event["id"]).version == 5
    assert event["source"] == f"urn:tallyman:registry:{data['registry_id']}"
    assert event["datacontenttype"] == "application/json"
    assert event["time"].endswith("Z")
    assert (data["host"], data["scan_id"]) == (host, load["scan_id"])
    digest = data.get("digest") or data.get("to")
    if digest:
        assert data["reference"] == f"{host.partition('://')[2]}/{data['repository']}@{digest}"
