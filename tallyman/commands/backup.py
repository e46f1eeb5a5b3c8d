"""`tallyman backup` and `tallyman restore`: both stores, into a folder and out of it."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from services.opening import number_above_store, open_store, opened
from shared.pipeline.data_lock import DataLock
from shared.pipeline.topics import ensure_topics
from shared.settings import Settings
from shared.store.migrate import shipped
from shared.store.store import Store
from tallyman.backup import tables, topics
from tallyman.backup.manifest import BackupUnusable, Manifest, Packed, read_manifest, write_manifest
from tallyman.backup.packing import check
from tallyman.system import running_broker

_OWNER_ALONE = 0o700


async def backup(settings: Settings, folder: Path) -> int:
    """Write a backup into a folder that is new or empty; return 0."""
    _make(folder)
    files: dict[str, Packed] = {}
    async with _stores(settings) as (reached, store):
        await topics.write_topics(reached, folder, files)
        records = _lines(files)
        await tables.write_tables(store, folder, files)
        made = Manifest(
            made_at=datetime.now(UTC), schema_number=shipped()[-1].number, partitions=reached.partitions, files=files
        )
    write_manifest(folder, made)
    sys.stdout.write(
        f"{folder} holds {records} records of Kafka and {_lines(files) - records} rows of the store. Keep the key that "
        "encrypts the passwords with it: TALLYMAN_SECRET_KEY, or secret.key of the data folder.\n"
    )
    return 0


async def restore(settings: Settings, folder: Path, *, topics_only: bool) -> int:
    """Put a backup back into an empty installation; return 0.  topics_only: the store stays as it is."""
    manifest = read_manifest(folder)
    for name, packed in manifest.files.items():
        check(folder / name, packed)
    if manifest.schema_number > shipped()[-1].number:
        raise BackupUnusable(f"{folder} was made by a newer Tallyman: restore it with that one.")
    async with _stores(settings) as (reached, store):
        await topics.check_empty(reached)
        rows = 0
        if not topics_only:
            await tables.check_empty(store)
            rows = await tables.restore_tables(store, folder)
        records = await topics.restore_topics(reached, folder)
        async with opened(reached, service="command") as ready:
            await number_above_store(ready, store)  # now: whoever asks for a scan counts on its number
    sys.stdout.write(
        f"Restored from {manifest.made_at:%Y-%m-%d %H:%M} UTC: {records} records of Kafka, {rows} rows of the store. "
        "Start the services: scans are numbered on from what the store knows.\n"
    )
    return 0


def _lines(files: dict[str, Packed]) -> int:
    return sum(packed.lines for packed in files.values())


def _make(folder: Path) -> None:
    folder.mkdir(_OWNER_ALONE, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BackupUnusable(f"{folder} is not empty: name a folder of its own for each backup.")


@asynccontextmanager
async def _stores(settings: Settings) -> AsyncIterator[tuple[Settings, Store]]:
    """Yield both stores, open, topics and schema made; the embedded ones must be nobody else's meanwhile."""
    async with AsyncExitStack() as stack:
        if settings.clickhouse is None:
            stack.enter_context(DataLock(settings.data))
        reached = await stack.enter_async_context(running_broker(settings))
        await ensure_topics(reached, ())
        yield reached, await stack.enter_async_context(open_store(reached))
