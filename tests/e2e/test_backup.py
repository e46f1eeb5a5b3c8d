"""Backup and restore of both stores: what comes back goes on as if nothing had happened, on more partitions, too."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from shared.messages.topics import IMAGE_STATE, TAG_STATE, TopicName
from shared.settings import Settings
from shared.store import Store
from shared.store.purge import TABLES
from tests.e2e.service_processes import environment_of, running_services
from tests.e2e.small_registry import SmallRegistry, manifest_path
from tests.e2e.tallyman_commands import Tallyman
from tests.fakes.hostile_registry import hostile_registry
from tests.fakes.product.server import ProductServer
from tests.fakes.v2.server import SERVERS
from tests.support.generator import generate
from tests.support.worker import records_of

MORE_PARTITIONS = 12

Present = dict[bytes, tuple[bytes, int]]
"""Value and partition, by key."""


async def present(settings: Settings, topic: TopicName) -> Present:
    """What is present now by a state topic, partition by partition."""
    found: Present = {}
    for record in await records_of(settings, topic):
        if record.value is None:
            found.pop(record.key, None)
        else:
            assert found.get(record.key, (b"", record.partition))[1] == record.partition, "a key on two partitions"
            found[record.key] = record.value, record.partition
    return found


async def tables_of(settings: Settings) -> dict[str, list[str]]:
    """All rows of all tables, without those that others replace."""
    store = await Store.open(settings)
    try:
        await store.migrate()
        return {table: sorted(map(str, await store.query(f"SELECT * FROM {table} FINAL"))) for table in TABLES}
    finally:
        await store.close()


def values(found: Present) -> dict[bytes, bytes]:
    return {key: value for key, (value, _) in found.items()}


async def load(tallyman: Tallyman, server: ProductServer) -> dict[str, object]:
    words = ("--name", "kept", "--username", server.username or "", "--password-stdin", "--type", "v2")
    return await tallyman.load(server.url, *words, stdin=(server.password or "") + "\n")


async def restored_beside(
    settings: Settings, store: Store, environment: Mapping[str, str], tmp_path: Path
) -> tuple[Settings, Tallyman, dict[str, str]]:
    """An empty installation with more partitions, with the key of the first."""
    database = f"e2e_{secrets.token_hex(4)}"
    await store._engine.command(f"CREATE DATABASE {database}")
    address = str(settings.clickhouse).rpartition("/")[0]
    changes = {"clickhouse": f"{address}/{database}", "topic_prefix": f"{database}.", "partitions": MORE_PARTITIONS}
    other = settings.model_copy(update=changes)
    variables = {**environment_of(other), "TALLYMAN_SECRET_KEY": environment["TALLYMAN_SECRET_KEY"]}
    return other, Tallyman(tmp_path / "other", variables), variables


async def test_an_installation_on_servers_is_restored_on_more_partitions_and_goes_on(
    settings: Settings,
    server_store: Store,
    environment: Mapping[str, str],
    distributed: Tallyman,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "backup"
    async with SERVERS["v2"](generate(seed=5, repositories=8, tags=60)) as server:
        async with running_services(environment, tmp_path, each=1):
            first = await load(distributed, server)
            repository, tag = next((name, min(tags)) for name, tags in server.estate.repositories.items() if tags)
            server.estate.move_tag(repository, tag, server.estate.new_image(repository))
            assert (await load(distributed, server))["discovered"] == 1
            told = await distributed("backup", str(folder))  # services at work
        assert "records of Kafka" in told.out
        assert first["status"] == "complete"

        other, restored, variables = await restored_beside(settings, server_store, environment, tmp_path)
        assert "rows of the store" in (await restored("restore", str(folder))).out
        assert await tables_of(other) == await tables_of(settings)
        for topic in (IMAGE_STATE, TAG_STATE):
            before, after = await present(settings, topic), await present(other, topic)
            assert values(after) == values(before) != {}
        again = await restored("restore", str(folder), code=2)
        assert "holds connections already" in again.err
        await assert_partitions_are_raised(settings, environment, folder, tmp_path)

        async with running_services(variables, tmp_path, each=1):
            unchanged = await load(restored, server)
            assert (unchanged["status"], unchanged["discovered"], unchanged["removed"]) == ("complete", 0, 0)
            server.estate.move_tag(repository, tag, server.estate.new_image(repository))
            moved = await load(restored, server)
            assert moved["discovered"] == 1
        assert int(str(moved["scan_id"])) > int(str(unchanged["scan_id"])) > int(str(first["scan_id"]))
        assert len(await present(other, TAG_STATE)) == len(await present(settings, TAG_STATE))


async def assert_partitions_are_raised(
    settings: Settings, environment: Mapping[str, str], folder: Path, tmp_path: Path
) -> None:
    """The same store, and topics with more partitions, each key on one of them."""
    raised = settings.model_copy(update={"topic_prefix": f"raised.{settings.topic_prefix}", "partitions": 20})
    variables = {**environment_of(raised), "TALLYMAN_SECRET_KEY": environment["TALLYMAN_SECRET_KEY"]}
    await Tallyman(tmp_path / "raised", variables)("restore", str(folder), "--topics-only")
    assert values(await present(raised, TAG_STATE)) == values(await present(settings, TAG_STATE))


async def test_an_installation_in_a_folder_is_restored_in_another(tmp_path: Path) -> None:
    folder, data = tmp_path / "backup", tmp_path / "data"
    tallyman, restored = Tallyman(data), Tallyman(tmp_path / "restored")
    async with hostile_registry() as fake:
        registry = SmallRegistry(fake)
        registry.fill()
        assert (await tallyman.load(registry.url, "--type", "v2"))["images"] == 3
        async with tallyman.serving():
            assert "in use by process" in (await tallyman("backup", str(folder), code=1)).err
        folder.rmdir()
        await tallyman("backup", str(folder))
        assert {file.stat().st_mode & 0o077 for file in folder.iterdir()} == {0}
        assert "is not empty" in (await tallyman("backup", str(folder), code=2)).err

        await restored("restore", str(folder))
        assert "holds connections already" in (await restored("restore", str(folder), code=2)).err
        assert len(await restored.rows("images")) == 3
        registry.breaks(manifest_path("3.0"), fake.scripts[manifest_path("1.0")])
        after = await restored.load(registry.url, "--type", "v2")
        assert (after["discovered"], after["removed"]) == (0, 1)


async def test_what_is_no_whole_backup_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    tallyman, restored = Tallyman(tmp_path / "data"), Tallyman(tmp_path / "restored")
    async with hostile_registry() as fake:
        registry = SmallRegistry(fake)
        registry.fill()
        await tallyman.load(registry.url, "--type", "v2")
    await tallyman("backup", str(folder))
    tags = folder / "tags.jsonl.gz"
    whole = tags.read_bytes()
    tags.write_bytes(whole[:-1])
    assert "missing, cut off or altered" in (await restored("restore", str(folder), code=2)).err
    tags.write_bytes(whole)
    manifest = folder / "backup.json"
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**told, "schema_number": 9_999}))
    assert "by a newer Tallyman" in (await restored("restore", str(folder), code=2)).err
    manifest.write_text("{")
    assert "cannot be read" in (await restored("restore", str(folder), code=2)).err
    manifest.unlink()
    assert "no whole backup" in (await restored("restore", str(folder), code=2)).err
    assert not restored.data.exists()
    manifest.write_text(json.dumps(told))
    await restored("restore", str(folder))
    assert len(await restored.rows("images")) == 3
