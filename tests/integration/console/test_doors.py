"""Who may come in: hosts, origins, sessions, tokens, CSRF, and the headers on every answer."""

import asyncio
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.console.doors.guard import CSP
from tests.integration.console.conftest import PASSWORD, Console

PATHS = ["/", "/registries", "/images", "/scans", "/api/v1/connections", "/api/v1/summary", "/api/docs", "/nowhere"]


async def signed_in(console: Console, client: httpx.AsyncClient) -> str:
    """Sign in; return the page's CSRF token."""
    answer = await client.post("/sign-in", data={"password": PASSWORD, "to": "/"})
    assert answer.status_code == 303, answer.text
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("__Host-session=", "Secure", "HttpOnly", "SameSite=lax", "Path=/"))
    client.headers["cookie"] = cookie.partition(";")[0]  # httpx keeps Secure cookies from http
    page = (await client.get("/", headers={"accept": "text/html"})).text
    return page.partition('"X-CSRF-Token": "')[2].partition('"')[0]


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_comes_in_unknown(console: Console, path: str) -> None:
    async with console.client() as client:
        assert (await client.get(path)).status_code == 401
        page = await client.get(path, headers={"accept": "text/html"})
        assert page.status_code == (401 if path.startswith("/api/v1") else 303)
        assert (await client.get(path, headers={"authorization": "Bearer tly_wrong"})).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/sign-in", "/static/own/console.css"])
async def test_these_doors_are_open(console: Console, path: str) -> None:
    async with console.client() as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", [*PATHS, "/healthz", "/sign-in"])
async def test_the_policy_is_on_every_answer_refusals_too(console: Console, path: str) -> None:
    async with console.client() as client, console.client(console.admin) as known:
        for answer in (await client.get(path), await known.get(path), await client.get(path, headers={"host": "x"})):
            assert answer.headers["content-security-policy"] == CSP
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "server" not in answer.headers


async def test_an_unknown_host_is_misdirected(console: Console) -> None:
    async with console.client(console.admin) as client:
        answer = await client.get("/api/v1/summary", headers={"host": "evil.example.com"})
        assert answer.status_code == 421


async def test_a_reader_reads_and_changes_nothing(console: Console) -> None:
    async with console.client(console.reader) as client:
        assert (await client.get("/api/v1/summary")).status_code == 200
        refused = await client.post("/api/v1/connections", json={"name": "x", "host": "https://r.example.com"})
        assert refused.status_code == 403
        assert (await client.delete("/api/v1/tokens/reader")).status_code == 403


async def test_a_session_changes_things_only_with_the_pages_token_and_from_our_own_pages(console: Console) -> None:
    async with console.client() as client:
        csrf = await signed_in(console, client)
        assert csrf
        body = {"name": "by-session", "role": "reader"}
        assert (await client.post("/api/v1/tokens", json=body)).status_code == 403
        foreign = {"x-csrf-token": csrf, "origin": "https://evil.example.com"}
        assert (await client.post("/api/v1/tokens", json=body, headers=foreign)).status_code == 403
        cross = {"x-csrf-token": csrf, "sec-fetch-site": "cross-site"}
        assert (await client.post("/api/v1/tokens", json=body, headers=cross)).status_code == 403
        own = {"x-csrf-token": csrf, "origin": console.url}
        assert (await client.post("/api/v1/tokens", json=body, headers=own)).status_code == 201
        assert (await client.delete("/api/v1/tokens/by-session", headers=own)).status_code == 204


@pytest.mark.parametrize("cookie", ["", "x", "gAAAAA", "__Host-session=", '"; evil'])
async def test_a_cookie_that_is_not_ours_lets_nobody_in(console: Console, cookie: str) -> None:
    async with console.client() as client:
        answer = await client.get("/api/v1/summary", headers={"cookie": f"__Host-session={cookie}"})
        assert answer.status_code == 401


async def test_a_token_that_was_taken_back_lets_nobody_in(console: Console) -> None:
    async with console.client(console.admin) as client:
        made = (await client.post("/api/v1/tokens", json={"name": "short-lived", "role": "reader"})).json()
        assert made["token"].startswith("tly_")
        again = await client.post("/api/v1/tokens", json={"name": "short-lived"})
        assert again.json()["reason"] == "token_name_taken"
        listed = (await client.get("/api/v1/tokens")).text
        assert made["token"] not in listed
        async with console.client(made["token"]) as other:
            assert (await other.get("/api/v1/summary")).status_code == 200
            assert (await client.delete("/api/v1/tokens/short-lived")).status_code == 204
            assert (await other.get("/api/v1/summary")).status_code == 401


async def test_nobody_is_sent_to_another_site_after_signing_in(console: Console) -> None:
    async with console.client() as client:
        for to in ("https://evil.example.com/", "//evil.example.com", "/\\evil.example.com", "javascript:alert(1)"):
            answer = await client.post("/sign-in", data={"password": PASSWORD, "to": to})
            assert answer.headers["location"] == "/"


async def test_a_websocket_is_of_our_own_pages_and_of_people_we_know(console: Console) -> None:
    url = console.url.replace("http", "ws", 1) + "/live/abcdefgh"
    own = {"Origin": console.url}
    bearer = {"Authorization": f"Bearer {console.reader}"}
    for headers in ({}, own, {**bearer, "Origin": "https://evil.example.com"}):
        with pytest.raises((ConnectionClosed, InvalidStatus)):
            async with connect(url, additional_headers=headers) as socket:
                await socket.recv()
    async with connect(url, additional_headers={**own, **bearer}) as socket:
        pong = await socket.ping()
        await asyncio.wait_for(pong, 5)


async def test_progress_is_sent_to_who_watches(console: Console) -> None:
    async with console.client(console.admin) as client:
        made = (await client.post("/api/v1/connections", json={"name": "watched", "host": "http://127.0.0.1:9"})).json()
        url = f"ws://{urlsplit(console.url).netloc}/live/{made['id']}"
        headers = {"Authorization": f"Bearer {console.reader}", "Origin": console.url}
        async with connect(url, additional_headers=headers) as socket:
            assert "Not loaded yet" in str(await asyncio.wait_for(socket.recv(), 10))
            await client.post("/api/v1/connections/watched/scans", json={})
            async with asyncio.timeout(30):
                while "failed" not in str(await socket.recv()):
                    pass


async def test_tries_are_limited_and_a_locked_address_is_told_how_long(console: Console) -> None:
    """Comes last in this file: it locks the tests' own address out for a minute."""
    async with console.client() as client:
        for _ in range(5):
            assert (await client.post("/sign-in", data={"password": "guess"})).status_code == 401
        locked = await client.post("/sign-in", data={"password": PASSWORD})
        assert locked.status_code == 429
        assert 0 < int(locked.headers["retry-after"]) <= 60
