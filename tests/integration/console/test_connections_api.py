"""/api/v1/connections and /scans, from the first draft to the purge, on a running system."""

import asyncio
import json
from typing import Any

import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr

from shared.connections.secrets import Secrets
from shared.connections.writer import ensure_connection
from shared.messages.connection_notes import HookSecretSet
from tests.fakes.product.server import ProductServer
from tests.integration.console.conftest import Console, draft_of

PROBLEM = "application/problem+json"


async def created(api: httpx.AsyncClient, server: ProductServer, **fields: object) -> dict[str, Any]:
    answer = await api.post("/connections", json=draft_of(server, **fields))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def loaded(api: httpx.AsyncClient, name: str) -> dict[str, Any]:
    asked = await api.post(f"/connections/{name}/scans", json={})
    assert asked.status_code == 202, asked.text
    return await ended(api, name, asked.json()["scan_id"])


async def ended(api: httpx.AsyncClient, name: str, scan: int) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            answer = await api.get(f"/scans/{name}/{scan}")
            if answer.status_code == 200 and answer.json()["status"] != "running":
                told: dict[str, Any] = answer.json()
                return told
            await asyncio.sleep(0.1)


async def test_a_registry_is_tested_connected_loaded_edited_and_deleted(
    api: httpx.AsyncClient, server: ProductServer
) -> None:
    tested = await api.post("/connections/test", json=draft_of(server))
    assert [stage["outcome"] for stage in tested.json()["stages"]].count("failed") == 0
    assert server.desk.counts().total() > 0
    made = await created(api, server)
    name = made["name"]
    assert made["has_password"]
    assert made["status"] is None
    refreshed = await api.post(f"/connections/{name}/test")
    assert refreshed.status_code == 200
    shown = (await api.get(f"/connections/{made['id']}")).json()
    assert (
        shown["status"]["health"]
        == refreshed.json()["health"]
        == (await api.get(f"/connections/{name}/status")).json()["health"]
    )

    scan = await loaded(api, name)
    assert (scan["status"], scan["repositories"], scan["tags"]) == ("complete", 8, 60)
    images = (await api.get("/images", params={"registry": name, "limit": 500})).json()["items"]
    assert len(images) == scan["images"]
    assert all(image["reference"].endswith("@" + image["digest"]) for image in images)

    stale = await api.patch(f"/connections/{name}", json={"max_rps": 9}, headers={"if-match": '"7"'})
    assert (stale.status_code, stale.json()["reason"]) == (412, "stale_edit")
    edited = await api.patch(f"/connections/{name}", json={"max_rps": 9}, headers={"if-match": '"1"'})
    assert (edited.json()["max_rps"], edited.headers["etag"]) == (9, '"2"')
    assert edited.json()["has_password"], "an edit without a password keeps it"

    assert (await api.delete(f"/connections/{name}")).status_code == 204
    gone = await api.get(f"/connections/{name}")
    assert (gone.status_code, gone.headers["content-type"], gone.json()["reason"]) == (
        404,
        PROBLEM,
        "no_such_connection",
    )
    assert (await api.get("/images", params={"registry": name})).status_code == 404


async def test_what_is_wrong_is_told_by_field_and_nothing_given_is_quoted(
    api: httpx.AsyncClient, server: ProductServer
) -> None:
    wrong = draft_of(server, host="registry.example.com", max_rps=0, password="planted-in-a-wrong-draft")
    answer = await api.post("/connections", json=wrong)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert {error["field"] for error in answer.json()["errors"]} == {"host", "max_rps"}
    assert "planted" not in answer.text
    gitlab = await api.post("/connections", json=draft_of(server, type="gitlab", auth_type="basic"))
    assert gitlab.json()["errors"] == [
        {"field": "auth_type", "told": "registries of type gitlab take tokens only: choose bearer as the auth type"}
    ]
    assert (await api.post("/connections", json=draft_of(server, surprise=1))).status_code == 422
    assert (
        await api.post("/connections", content=b"{", headers={"content-type": "application/json"})
    ).status_code == 422


async def test_a_taken_name_and_two_edits_of_one_revision_are_told_to_the_loser(
    api: httpx.AsyncClient, server: ProductServer
) -> None:
    made = await created(api, server)
    taken = await api.post("/connections", json=draft_of(server, name=made["name"].upper()))
    assert (taken.status_code, taken.json()["reason"]) == (409, "name_taken")
    edits = [
        api.patch(f"/connections/{made['id']}", json={"max_rps": rps}, headers={"if-match": '"1"'}) for rps in (5, 6)
    ]
    assert sorted(answer.status_code for answer in await asyncio.gather(*edits)) == [200, 412]
    assert (await api.patch(f"/connections/{made['id']}", json={})).status_code == 428
    moved = await api.patch(
        f"/connections/{made['id']}", json={"host": "https://other.example.com"}, headers={"if-match": '"2"'}
    )
    assert "not sent to another host" in moved.json()["detail"]


async def test_a_scan_is_not_doubled_and_can_be_cancelled(api: httpx.AsyncClient, server: ProductServer) -> None:
    made = await created(api, server, max_rps=5)
    first = await api.post(f"/connections/{made['id']}/scans", json={})
    again = await api.post(f"/connections/{made['id']}/scans", json={})
    assert (again.status_code, again.json()["reason"]) == (409, "scan_running")
    scan = first.json()["scan_id"]
    assert (await api.post(f"/scans/{made['id']}/{scan}/cancel")).status_code == 204
    assert (await ended(api, made["id"], scan))["status"] == "cancelled"
    assert (await api.post(f"/scans/{made['id']}/{scan + 1}/cancel")).json()["reason"] == "scan_not_running"


async def test_an_inactive_registry_is_not_tested_not_scanned_and_says_so(
    api: httpx.AsyncClient, server: ProductServer
) -> None:
    made = await created(api, server, is_active=False)
    for path, body in ((f"/connections/{made['id']}/test", None), (f"/connections/{made['id']}/scans", {})):
        refused = await api.post(path, json=body)
        assert (refused.status_code, refused.json()["reason"]) == (409, "connection_inactive")
    drafted = await api.post("/connections/test", json=draft_of(server, is_active=False, name="x"))
    assert drafted.json()["reason"] == "connection_inactive"
    assert server.desk.counts().total() == 0


async def test_a_wrong_password_is_named_and_shown_to_the_registry_once(
    api: httpx.AsyncClient, server: ProductServer
) -> None:
    tested = (await api.post("/connections/test", json=draft_of(server, password="not the one"))).json()
    assert tested["health"] == "failed"
    (sign_in,) = [stage for stage in tested["stages"] if stage["stage"] == "sign_in"]
    assert "rejected the user name or password" in sign_in["told"]
    assert sum(1 for asked in server.desk.asked if asked.signed) == 1


async def test_failures_progress_and_pages_of_scans(api: httpx.AsyncClient, server: ProductServer) -> None:
    broken = next(name for name, tags in server.estate.repositories.items() if tags)
    server.desk.forbidden.add(broken)
    made = await created(api, server)
    scan = await loaded(api, made["id"])
    assert (scan["status"], scan["failed"]) == ("partial", 1)
    (failure,) = (await api.get(f"/scans/{made['id']}/{scan['scan_id']}/failures")).json()
    assert (failure["repository"], failure["reason"]) == (broken, "forbidden")
    await loaded(api, made["id"])
    first = (await api.get("/scans", params={"registry": made["name"], "limit": 1})).json()
    second = (await api.get("/scans", params={"registry": made["name"], "limit": 1, "cursor": first["next"]})).json()
    assert first["items"][0]["scan_id"] > second["items"][0]["scan_id"] == scan["scan_id"]
    assert second["next"] is None
    async with api.stream("GET", f"/scans/{made['id']}/{scan['scan_id']}/progress") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in stream.aiter_lines() if line]
    assert json.loads(lines[-1].removeprefix("data: "))["status"] == "partial"


async def test_pages_of_images_hold_while_images_come_and_go(api: httpx.AsyncClient, server: ProductServer) -> None:
    made = await created(api, server)
    await loaded(api, made["id"])
    query = {"registry": made["name"], "limit": 7}
    for sort in ("repository", "-first_seen", "size", "-created"):
        whole = (await api.get("/images", params={**query, "sort": sort, "limit": 500})).json()["items"]
        seen, cursor = [], None
        while True:
            page = (
                await api.get("/images", params={**query, "sort": sort, **({"cursor": cursor} if cursor else {})})
            ).json()
            seen += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
            if len(seen) == 7:  # what comes before the place is of no matter to what comes after
                gone = next(name for name, tags in server.estate.repositories.items() if tags)
                server.estate.repositories.pop(gone)
                await loaded(api, made["id"])
        keys = [(one["repository"], one["digest"]) for one in seen]
        assert len(keys) == len(set(keys)), "an image came twice"
        left = {
            (one["repository"], one["digest"])
            for one in (await api.get("/images", params={**query, "limit": 500})).json()["items"]
        }
        assert left <= set(keys) <= {(one["repository"], one["digest"]) for one in whole}
    bad = await api.get("/images", params={**query, "cursor": "bm9uc2Vuc2U"})
    assert (bad.status_code, bad.json()["reason"]) == (404, "cursor_invalid")


async def test_images_and_tags_are_found_by_what_people_look_for(api: httpx.AsyncClient, server: ProductServer) -> None:
    made = await created(api, server)
    await loaded(api, made["id"])
    of = {"registry": made["name"], "limit": 500}
    images = (await api.get("/images", params=of)).json()["items"]
    some = next(image for image in images if image["tags"])
    for query in (
        {"digest": some["digest"]},
        {"search": some["digest"][:20]},
        {"search": some["repository"][2:]},
        {"search": some["tags"][0].upper()},
        {"tag": some["tags"][0]},
        {"architecture": some["architecture"], "os": some["os"], "repository": some["repository"]},
    ):
        found = (await api.get("/images", params={**of, **query})).json()["items"]
        assert some["digest"] in {image["digest"] for image in found}, query
    tags = (await api.get("/tags", params={**of, "repository": some["repository"], "tag": some["tags"][0]})).json()
    assert some["tags"][0] in {tag["tag"] for tag in tags["items"]}
    assert (await api.get("/images", params={**of, "search": "no such thing"})).json()["items"] == []
    summary = (await api.get("/summary")).json()
    (mine,) = [one for one in summary["by_registry"] if one["registry"] == made["name"]]
    assert (mine["images"], mine["repositories"]) == (len(images), 8)


async def test_history_stays_after_a_deletion_until_it_is_purged(
    api: httpx.AsyncClient, console: Console, server: ProductServer
) -> None:
    async def history(name: str) -> int:
        rows = await console.system.store.query(
            "SELECT count() AS rows FROM images_ever WHERE registry = {name:String}", {"name": name}
        )
        return int(rows[0]["rows"])

    kept = await created(api, server, name="kept-history")
    await loaded(api, kept["id"])
    await api.delete(f"/connections/{kept['id']}")
    assert await history("kept-history") > 0
    purged = await created(api, server, name="purged-history")
    await loaded(api, purged["id"])
    assert (await api.delete(f"/connections/{purged['id']}", params={"purge": True})).status_code == 204
    assert await history("purged-history") == 0
    assert await history("kept-history") > 0


async def test_a_hook_secret_is_shown_once_kept_encrypted_and_goes_with_its_connection(
    api: httpx.AsyncClient, console: Console, server: ProductServer
) -> None:
    made = await created(api, server)
    shown = (await api.post(f"/connections/{made['id']}/hook-secret")).json()["secret"]
    note = console.office.now.note(HookSecretSet, made["id"])
    assert note is not None
    assert shown not in note.model_dump_json()
    assert console.office.secrets.decrypt(note.secret).get_secret_value() == shown
    assert shown not in (await api.get(f"/connections/{made['id']}")).text
    await api.delete(f"/connections/{made['id']}")
    assert console.office.now.note(HookSecretSet, made["id"]) is None


async def test_a_password_that_cannot_be_decrypted_sends_no_request_and_says_so(
    api: httpx.AsyncClient, console: Console, server: ProductServer
) -> None:
    stranger = Secrets([SecretStr(Fernet.generate_key().decode())]).encrypt(SecretStr("x"))
    settings = {"name": "unreadable", "host": server.url, "username": "me", "password": stranger, **server.connection}
    saved = await ensure_connection(console.office.topic, server.url, settings, console.system.settings.partitions)  # type: ignore[arg-type]
    await console.office.connections.seen(saved.offset)
    tested = (await api.post("/connections/unreadable/test")).json()
    assert tested["health"] == "failed"
    assert "cannot be decrypted" in tested["stages"][0]["told"]
    scan = await loaded(api, "unreadable")
    assert scan["status"] == "failed"
    (failure,) = (await api.get(f"/scans/unreadable/{scan['scan_id']}/failures")).json()
    assert failure["reason"] == "secret_unreadable"
    assert server.desk.counts().total() == 0
