"""The command line against a running service: what it prints, in which form, and what it refuses."""

import asyncio
import csv
import io
import json
import os
import pty
import re
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e import truth
from tests.e2e.small_registry import CATALOG, SmallRegistry
from tests.e2e.tallyman_commands import Tallyman
from tests.fakes.hostile_registry import Reply, hostile_registry
from tests.support.generator import Estate, generate
from tests.support.generator_push import push
from tests.support.generator_storage import Storage
from tests.support.registry import Registry, memory_folder, running_registry
from tests.support.token_service import TokenService

Row = dict[str, Any]

COMMANDS = ("run", "load", "images", "tags", "scans", "events", "sql")


@pytest_asyncio.fixture(scope="module")
async def shown(tallyman: Tallyman) -> Estate:
    """An estate that is loaded as the registry `shown`."""
    estate = generate(seed=12, repositories=12, tags=90)
    with memory_folder() as folder, running_registry(folder) as registry:
        Storage(registry.storage).write(estate)
        loaded = await tallyman.load_here(registry.url, name="shown")
    assert loaded.status == "complete"
    return estate


async def test_help_tells_of_every_command_its_options_and_the_exit_codes(tallyman: Tallyman) -> None:
    texts = await asyncio.gather(*(help_of(tallyman, *words) for words in ((), *((name,) for name in COMMANDS))))
    overview, *each = texts
    assert all(name in overview for name in COMMANDS)
    assert "2 wrong usage or setting, 3 a load that is partial, 4 a load that failed" in overview
    by_command = dict(zip(COMMANDS, each, strict=True))
    assert "Exit codes: 0 complete, 3 partial, 4 failed, 2 wrong usage" in by_command["load"]
    for option in (
        *("--name", "--auth", "--username", "--password-stdin", "--page-size", "--max-connections", "--max-rps"),
        *("--insecure", "--ca", "--allow-empty", "--data", "--json"),
    ):
        assert option in by_command["load"]
    for name in ("images", "tags"):
        assert all(o in by_command[name] for o in ("--registry", "--repository", "--architecture", "--format"))


async def help_of(tallyman: Tallyman, *words: str) -> str:
    printed = (await tallyman(*words, "--help")).out
    return " ".join(re.sub("[│╭╮╰╯─]", " ", printed).split())


@pytest.mark.parametrize(("command", "view"), [("images", "current_images"), ("tags", "current_tags")])
async def test_jsonl_has_exactly_the_columns_of_the_view(
    command: str, view: str, tallyman: Tallyman, shown: Estate
) -> None:
    rows = await tallyman.rows(command, "--registry", "shown")
    columns = [column["name"] for column in await tallyman.ask(f"DESCRIBE {view}")]
    assert rows
    assert all(list(row) == columns for row in rows)
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", row["digest"]) for row in rows)


async def test_csv_tells_what_jsonl_tells(tallyman: Tallyman, shown: Estate) -> None:
    printed = (await tallyman("tags", "--registry", "shown", "--format", "csv")).out
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [{name: row[name] for name in ("repository", "tag", "digest", "kind")} for row in rows] == [
        {name: row[name] for name in ("repository", "tag", "digest", "kind")} for row in truth.tag_rows(shown, "shown")
    ]
    assert all(
        re.fullmatch(r"\w+/\w+[\w./]*(, \w+/\w+[\w./]*)+", row["platforms"]) for row in rows if row["kind"] == "index"
    )


async def test_a_table_has_a_line_for_each_row_and_their_number_beside_it(tallyman: Tallyman, shown: Estate) -> None:
    done = await tallyman("images", "--registry", "shown")
    rows = truth.image_rows(shown, "shown")
    header, *lines = done.out.splitlines()
    assert header.split() == ["registry", "repository", "digest", "platform", "size", "tags"]
    assert len(lines) == len(rows)
    assert done.err == f"{len(rows)} rows\n"
    assert all(row["digest"][:19] in line for row, line in zip(rows, lines, strict=True))


async def test_repositories_are_chosen_by_glob_and_images_by_architecture(tallyman: Tallyman, shown: Estate) -> None:
    of_teams, deep, arm, both = await asyncio.gather(
        tallyman.rows("images", "--registry", "shown", "--repository", "team-?/*"),
        tallyman.rows("tags", "--registry", "shown", "--repository", "x__y"),
        tallyman.rows("images", "--registry", "shown", "--architecture", "arm64"),
        tallyman.rows("tags", "--registry", "shown", "--repository", "*a*", "--architecture", "arm64"),
    )
    images, tags = truth.image_rows(shown, "shown"), truth.tag_rows(shown, "shown")
    assert keys(of_teams) == keys(row for row in images if re.match("team-./", row["repository"]))
    assert keys(deep) == keys(row for row in tags if row["repository"] == "x__y")  # _ is no wildcard
    assert keys(arm) == keys(row for row in images if row["architecture"] == "arm64")
    assert keys(both) == keys(
        row
        for row in tags
        if "a" in row["repository"] and any(platform["architecture"] == "arm64" for platform in row["platforms"])
    )
    assert arm
    assert both


def keys(rows: Any) -> list[tuple[str, ...]]:
    return [(row["repository"], row.get("tag", ""), row["digest"]) for row in rows]


REFUSED = {
    "SELECT 1 INTO OUTFILE '/tmp/stolen'": "INTO OUTFILE would make a file",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')": "reaches files, the network or other programs",
    "SELECT * FROM url('http://127.0.0.1/', 'LineAsString')": "reaches files, the network or other programs",
    "SELECT 1; SELECT 2": "One statement at a time",
    "DROP TABLE images": "Only reading is allowed here",
    "INSERT INTO images SELECT * FROM images": "Only reading is allowed here",
    "SELECT 1 SETTINGS max_threads = 1": "Settings cannot be changed here",
}


@pytest.mark.parametrize("statement", REFUSED)
async def test_sql_that_does_more_than_read_is_wrong_usage(statement: str, tallyman: Tallyman) -> None:
    done = await tallyman("sql", statement, code=2)
    assert REFUSED[statement] in done.err
    assert done.out == ""


async def test_sql_that_the_engine_refuses_is_an_error_in_one_line(tallyman: Tallyman) -> None:
    done = await tallyman("sql", "SELECT nothing_like_it FROM current_images", code=1)
    assert done.out == ""
    assert re.fullmatch(r"tallyman: .*nothing_like_it.*\n", done.err)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("load",), "Missing argument"),
        (("load", "ftp://registry.example.com"), "a host starts with https:// or http://"),
        (("load", "https://me:secret@registry.example.com"), "a host holds no user name or password"),
        (("load", "https://registry.example.com", "--page-size", "0"), "page_size"),
        (("load", "https://registry.example.com", "--max-rps", "many"), "--max-rps"),
        (("load", "https://registry.example.com", "--name", "no spaces please"), "name"),
        (("load", "https://registry.example.com", "--password-stdin"), "nothing came on standard input"),
        (("images", "--format", "xml"), "--format"),
        (("events", "--format", "csv"), "events are printed as table or jsonl"),
        (("run", "--once"), "--once stops after a load"),
        (("run", "--listen", "8080"), "give HOST:PORT"),
        (("frobnicate",), "frobnicate"),
    ],
)
async def test_wrong_usage_is_told_with_its_exit_code(
    words: tuple[str, ...], sentence: str, tallyman: Tallyman
) -> None:
    done = await tallyman(*words, code=2)
    assert sentence in " ".join(done.err.split())
    assert "secret" not in done.err
    assert "Traceback" not in done.err


async def test_a_name_that_is_taken_is_wrong_usage(tallyman: Tallyman, shown: Estate) -> None:
    done = await tallyman("load", "http://127.0.0.1:9", "--name", "shown", code=2)
    assert "The name shown is taken" in done.err


async def test_a_wrong_setting_says_which_and_why(tmp_path: Path) -> None:
    lonely = Tallyman(tmp_path / "data", {"TALLYMAN_PARTITIONS": "none"})
    done = await lonely("images", code=2)
    assert done.err.startswith("tallyman: Wrong setting: TALLYMAN_PARTITIONS: ")


@pytest.mark.parametrize("command", ["images", "events"])
async def test_a_folder_without_an_inventory_says_what_to_do(command: str, tmp_path: Path) -> None:
    done = await Tallyman(tmp_path / "data")(command, code=2)
    assert "load a registry first" in done.err
    assert not (tmp_path / "data").exists()


async def test_a_registry_with_basic_sign_in_is_loaded(tallyman: Tallyman, basic_registry: Registry) -> None:
    await assert_loaded(tallyman, basic_registry, "e2e/basic")


async def test_a_registry_with_tls_of_its_own_ca_is_loaded(tallyman: Tallyman, tls_registry: Registry) -> None:
    assert tls_registry.authority is not None
    await assert_loaded(tallyman, tls_registry, "e2e/tls", "--ca", str(tls_registry.authority.certificate_file))


async def test_a_registry_with_a_token_service_is_loaded(
    tallyman: Tallyman, token_registry: Registry, token_service: TokenService
) -> None:
    await assert_loaded(tallyman, token_registry, "e2e/tokens", "--auth", "bearer")
    assert all(request.granted for request in token_service.requests if request.username)


async def assert_loaded(tallyman: Tallyman, registry: Registry, repository: str, *words: str) -> None:
    """Push an estate of one repository, load the registry with its password, and find it as it was pushed."""
    made = generate(seed=13, repositories=2, tags=20)
    estate = Estate({repository: made.repositories["library/alpine"]}, made.contents)
    await push(estate, registry)

    signed_in = ("--username", registry.username, "--password-stdin")
    told = await tallyman.load(registry.url, *signed_in, *words, stdin=registry.password + "\n")

    assert told["status"] == "complete"
    tags = await tallyman.rows("tags", "--registry", told["registry"], "--repository", repository)
    for row in tags:
        del row["observed_at"]
    assert tags == truth.tag_rows(estate, told["registry"])


async def test_events_are_followed_until_ctrl_c(tallyman: Tallyman) -> None:
    async with hostile_registry() as fake:
        registry = SmallRegistry(fake)
        registry.fill()
        await tallyman.load_here(registry.url, name="followed")
        following = await tallyman.start("events", "--follow", "--from-beginning", "--format", "jsonl")
        assert following.stdout is not None
        async with asyncio.timeout(60):
            assert await next_end(following.stdout, "followed") == {"discovered": 3, "tags": 3}
            await tallyman.load_here(registry.url)
            assert await next_end(following.stdout, "followed") == {"discovered": 0, "tags": 3}
        following.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            _, err = await following.communicate()
        assert (following.returncode, err.decode()) == (130, "")


async def test_events_are_followed_from_now_on_and_only_those_that_are_wanted(tallyman: Tallyman) -> None:
    async with hostile_registry() as fake:
        registry = SmallRegistry(fake)
        registry.fill()
        first = await tallyman.load_here(registry.url, name="later")
        following = await tallyman.start("events", "--follow", "--type", "scan", "--format", "jsonl")
        assert following.stdout is not None
        line = asyncio.create_task(following.stdout.readline())
        async with asyncio.timeout(60):
            while not line.done():  # until it has found where now is
                await tallyman.load_here(registry.url)
        event = json.loads(line.result())
        following.send_signal(signal.SIGINT)
        await following.communicate()
    assert event["type"] == "dev.tallyman.scan.completed"
    assert event["data"]["scan_id"] > first.scan_id


async def next_end(lines: asyncio.StreamReader, registry: str) -> Row:
    """Return what the next `scan.completed` of the registry tells."""
    while line := await lines.readline():
        event = json.loads(line)
        if event["type"].endswith("scan.completed") and event["data"]["registry"] == registry:
            return {name: event["data"][name] for name in ("discovered", "tags")}
    raise EOFError("the events ended")


async def test_a_reader_that_has_had_enough_ends_the_command_without_a_word(tallyman: Tallyman, shown: Estate) -> None:
    command = await tallyman.start("sql", "SELECT number FROM numbers(1000000)", "--format", "jsonl")
    assert command.stdout is not None
    assert command.stderr is not None
    assert json.loads(await command.stdout.readline()) == {"number": 0}
    command.stdout._transport.close()  # type: ignore[attr-defined]  # asyncio has no public way to hang up
    async with asyncio.timeout(30):
        assert await command.stderr.read() == b""
        assert await command.wait() == 0


async def test_progress_is_live_on_a_terminal_and_absent_in_a_pipe(tallyman: Tallyman) -> None:
    async with hostile_registry() as fake:
        registry = SmallRegistry(fake)
        registry.fill()
        reply = fake.scripts[CATALOG]
        assert isinstance(reply, Reply)
        registry.breaks(CATALOG, Reply(reply.status, reply.body, reply.headers, wait_seconds=1))
        quiet = await tallyman("load", registry.url, "--json")
        assert quiet.err == ""
        terminal, other_end = pty.openpty()
        command = await tallyman.start("load", registry.url, stderr=other_end)
        os.close(other_end)
        shown_there = await asyncio.to_thread(read_all, terminal)
        await command.communicate()
    assert command.returncode == 0
    assert "asking for the catalog" in shown_there or "waiting for the lister" in shown_there


def read_all(terminal: int) -> str:
    """Return all that is written to a terminal until its other end is closed."""
    parts = []
    try:
        while part := os.read(terminal, 65536):
            parts.append(part)
    except OSError:
        pass  # how a terminal ends
    finally:
        os.close(terminal)
    return b"".join(parts).decode()


async def test_the_door_opens_for_its_owner_alone(tallyman: Tallyman) -> None:
    socket = tallyman.data / "tallyman.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(tallyman.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((tallyman.data / "secret.key").stat().st_mode) == 0o600


async def test_two_registries_are_loaded_at_once_and_one_twice_at_once(tallyman: Tallyman) -> None:
    estates = [generate(seed=seed, repositories=6, tags=60) for seed in (21, 22)]
    with memory_folder() as folder, running_registry(folder / "a") as one, running_registry(folder / "b") as two:
        for registry, estate in zip((one, two), estates, strict=True):
            Storage(registry.storage).write(estate)
        loads = await asyncio.gather(
            *(tallyman.load(one.url, "--name", "one") for _ in range(2)), tallyman.load(two.url, "--name", "two")
        )
    assert [load["status"] for load in loads] == ["complete"] * 3
    assert loads[0]["scan_id"] != loads[1]["scan_id"]
    assert sum(load["discovered"] for load in loads[:2]) == truth.counts(estates[0])["images"]
    for name, estate in zip(("one", "two"), estates, strict=True):
        rows = await tallyman.rows("tags", "--registry", name)
        assert keys(rows) == keys(truth.tag_rows(estate, name))
    events = [event for event in await tallyman.rows("events") if event["data"]["registry"] in ("one", "two")]
    assert len({event["id"] for event in events}) == len(events)
    assert sum(event["type"].endswith("scan.completed") for event in events) == 3
