"""How a registry stands is shown: by the API, on its page, and in the metrics."""

import asyncio

import httpx

from tests.fakes.counting_registry import counting_server
from tests.fakes.product.server import ProductServer
from tests.integration.console.conftest import Console
from tests.integration.console.test_connections_api import created, loaded


async def _standing(api: httpx.AsyncClient, name: str, wanted: str) -> dict[str, object]:
    """Wait until the registry stands so."""
    for _ in range(150):
        answer = (await api.get(f"/connections/{name}/budget")).raise_for_status().json()
        if answer["standing"] == wanted:
            return dict(answer)
        await asyncio.sleep(0.1)
    raise AssertionError(f"{name} never stood {wanted}: {answer}")


async def test_a_rejected_sign_in_stays_until_it_is_tried_by_hand(
    api: httpx.AsyncClient, server: ProductServer
) -> None:
    name = (await created(api, server, password="a wrong one"))["name"]
    assert (await loaded(api, name))["status"] == "failed"
    assert "rejected the sign-in" in str((await _standing(api, name, "refused"))["told"])
    asked = server.desk.counts().total()
    assert (await loaded(api, name))["status"] == "failed"
    assert server.desk.counts().total() == asked  # nothing was asked
    assert (await api.post(f"/connections/{name}/retry")).raise_for_status().json()["standing"] != "refused"
    assert (await loaded(api, name))["status"] == "failed"
    assert server.desk.counts().total() > asked
    (await api.delete(f"/connections/{name}")).raise_for_status()


async def test_a_registry_that_asks_for_a_pause_and_one_that_breaks_are_seen(
    console: Console, api: httpx.AsyncClient
) -> None:
    with counting_server() as (server, _):
        draft = {"host": server.url, "type": "v2", "name": "counted", "max_rps": 30, "auth_type": "bearer"}
        (await api.post("/connections", json=draft)).raise_for_status()
        assert (await _standing(api, "counted", "idle"))["max_rps"] == 30
        server.refuse_next(429, "Retry-After: 3")
        (await api.post("/connections/counted/scans", json={})).raise_for_status()
        assert (await _standing(api, "counted", "paused"))["max_rps"] == 0
        async with console.client() as guest:
            metrics = (await guest.get("/metrics")).text
        assert 'tallyman_registry_standing{registry="counted",standing="paused"} 1.0' in metrics
        assert 'tallyman_registry_max_rps{of="allowed",registry="counted"} 30.0' in metrics
        lowered = await _standing(api, "counted", "lowered")
        assert 1 <= int(str(lowered["max_rps"])) < 30
        (await api.delete("/connections/counted")).raise_for_status()
