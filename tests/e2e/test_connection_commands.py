"""`tallyman connection`, `scan`, `status`, `token`, `secrets`: on a service, on a data folder, on a far console."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.e2e.tallyman_commands import Tallyman
from tests.fakes.product.server import ProductServer
from tests.fakes.v2.server import SERVERS
from tests.support.generator import generate


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ProductServer]:
    async with SERVERS["v2"](generate(seed=5, repositories=8, tags=60)) as running:
        yield running


async def test_a_registry_from_its_connection_to_its_removal(tallyman: Tallyman, server: ProductServer) -> None:
    password = (server.password or "") + "\n"
    options = ["--username", server.username or "", "--auth", "bearer", "--type", "v2", "--password-stdin"]
    tested = await tallyman("connection", "add", "cmd", server.url, "--test", *options, code=3, stdin=password)
    assert "Signed in as" in tested.out
    assert "no connection" in (await tallyman("connection", "show", "cmd", code=2)).err
    added = await tallyman("connection", "add", "cmd", server.url, *options, "--max-rps", "900", stdin=password)
    assert "cmd is saved, revision 1" in added.out
    assert "anybody on the way can read the password" in added.err
    again = await tallyman("connection", "add", "CMD", server.url, code=2)
    assert "The name cmd is taken" in again.err

    (row,) = [
        one for one in (await tallyman("connection", "list", "--format", "jsonl")).objects() if one["name"] == "cmd"
    ]
    assert (row["max_rps"], row["has_password"], "password" in row) == (900, True, False)
    edited = (await tallyman("connection", "edit", "cmd", "--max-rps", "800", "--exclude", "x/*", "--json")).objects()[
        0
    ]
    assert (edited["revision"], edited["max_rps"], edited["exclude"]) == (2, 800, ["x/*"])
    assert (await tallyman("connection", "edit", "cmd", "--exclude", "", "--json")).objects()[0]["exclude"] == []
    assert "Say what is to be changed" in (await tallyman("connection", "edit", "cmd", code=2)).err
    assert "max_rps" in (await tallyman("connection", "edit", "cmd", "--max-rps", "0", code=2)).err

    assert "Clocks" in (await tallyman("connection", "test", "cmd", code=3)).out
    scanned = (await tallyman("scan", "cmd", "--wait", "--json")).objects()[0]
    assert (scanned["status"], scanned["tags"]) == ("complete", 60)
    name = next(name for name, tags in server.estate.repositories.items() if tags)
    one = (await tallyman("scan", "cmd", "--repository", name, "--wait", "--json")).objects()[0]
    assert (one["kind"], one["repositories"]) == ("repository", 1)
    assert "cmd" in (await tallyman("status")).out
    told = json.loads((await tallyman("status", "--json")).out)
    assert told["summary"]["registries"] >= 1

    await tallyman("connection", "edit", "cmd", "--inactive")
    assert "is inactive" in (await tallyman("scan", "cmd", code=2)).err
    assert "is inactive" in (await tallyman("connection", "test", "cmd", code=2)).err
    assert "stays" in (await tallyman("connection", "remove", "cmd")).err
    (counted,) = await tallyman.sql("SELECT count() AS rows FROM images_ever WHERE registry = 'cmd'")
    assert counted["rows"] > 0


async def test_a_running_scan_is_cancelled(tallyman: Tallyman, server: ProductServer) -> None:
    options = ["--username", server.username or "", "--auth", "bearer", "--password-stdin", "--max-rps", "3"]
    await tallyman("connection", "add", "slow-cmd", server.url, *options, stdin=(server.password or "") + "\n")
    scan = (await tallyman("scan", "slow-cmd", "--json")).objects()[0]["scan_id"]
    assert f"already, by scan {scan}" in (await tallyman("scan", "slow-cmd", code=1)).err
    assert "ends now" in (await tallyman("cancel", "slow-cmd", str(scan))).out
    await tallyman("connection", "remove", "slow-cmd", "--purge")


async def test_a_token_opens_a_console_from_afar(tmp_path: Path, server: ProductServer) -> None:
    near = Tallyman(tmp_path / "data")
    async with near.serving() as service:
        made = await near("token", "create", "ci")
        assert made.out.startswith("tly_")
        assert "shown this once" in made.err
        admin = (await near("token", "create", "ops", "--admin")).out.strip()
        far = {"TALLYMAN_URL": service.console, "TALLYMAN_TOKEN": made.out.strip()}
        reader = Tallyman(tmp_path / "nothing", far)
        assert (await reader("connection", "list", "--format", "jsonl")).out == ""
        refused = await reader("connection", "add", "far", server.url, code=1)
        assert "may only read" in refused.err
        writer = Tallyman(tmp_path / "nothing", far | {"TALLYMAN_TOKEN": admin})
        await writer("connection", "add", "far", server.url)
        assert "far" in (await near("connection", "list")).out
        assert "ops" in (await near("token", "list")).out
        await near("token", "remove", "ci")
        assert "not known" in (await reader("status", code=1)).err
    gone = await Tallyman(tmp_path / "nothing", far)("status", code=1)
    assert "does not answer" in gone.err


async def test_without_a_service_the_commands_open_the_folder_themselves(tmp_path: Path, server: ProductServer) -> None:
    alone = Tallyman(tmp_path / "data")
    assert "There is nothing in" in (await alone("status", code=2)).err
    options = ["--username", server.username or "", "--auth", "bearer", "--password-stdin"]
    await alone("run", "--load", "sample", "--once")
    await alone("connection", "add", "mine", server.url, *options, stdin=(server.password or "") + "\n")
    assert (await alone("scan", "mine", "--json")).objects()[0]["status"] == "complete"
    rotated = await alone("secrets", "rotate")
    assert "Passwords encrypted anew: 1." in rotated.out
    assert "Old keys dropped: 1." in (await alone("secrets", "drop-old-keys")).out
    assert (await alone("scan", "mine", "--json")).objects()[0]["status"] == "complete"
