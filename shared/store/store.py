"""The store: what the services ask of ClickHouse and tell it, whichever way it is reached."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from typing import Any, Final, Self

from shared.oci.digest import Digest
from shared.settings import Settings
from shared.store import known, purge, reader, retention, scan_reads, sink_reads
from shared.store.columns import columns_of, encode
from shared.store.embedded import Embedded
from shared.store.engine import Engine, Selection
from shared.store.errors import StoreUnavailable
from shared.store.migrate import migrate, shipped
from shared.store.read_only import check_read_only, is_query
from shared.store.rows import ConfigRow, ListingPageRow, OutboxRow, Row, ScanUnitRow
from shared.store.schema_lock import NoLock, SchemaLock
from shared.store.server import Server
from shared.store.state import RepositoryState
from shared.store.together import Together, lookups


class Store:
    """One open store. Methods raise StoreUnavailable while it does not answer, StoreError when it refuses."""

    def __init__(self, engine: Engine, lock: SchemaLock | NoLock) -> None:
        self._engine: Final = engine
        self._lock: Final = lock
        self._inserts: Final[dict[type[Row], Together[Sequence[Row], None]]] = {}
        self._states: Final = lookups(partial(sink_reads.repository_states, engine))
        self._decisions: Final = lookups(partial(sink_reads.decisions, engine))
        self._tags: Final = lookups(partial(known.known_tags, engine))
        self._manifests: Final = lookups(partial(known.known_manifests, engine))
        self._configs: Final = lookups(partial(known.known_configs, engine))

    @classmethod
    async def open(cls, settings: Settings) -> Self:
        """Return an open store: the embedded engine under `settings.data`, or the server `settings.clickhouse`.

        Raises SettingsError where the server lets us not in, StoreUnavailable where it does not answer, StoreError
        where another process has the folder.
        """
        if settings.clickhouse is None:
            return cls(Engine(Embedded(settings.data / "clickhouse")), NoLock())
        server = Server(settings)
        engine = Engine(server)
        try:
            await engine.query("SELECT 1")
        except StoreUnavailable as error:
            await engine.close()
            raise server.setting_to_blame(error) or error from error
        return cls(engine, SchemaLock(engine))

    async def close(self) -> None:
        """Wait for what runs, and let go of the engine."""
        await self._engine.close()

    async def migrate(self) -> tuple[str, ...]:
        """Bring the schema up to date; return the names of the migrations applied now."""
        return await migrate(self._engine, self._lock, shipped())

    async def keep(self, settings: Settings) -> None:
        """Let history expire as the settings say, and let the reader of a server in. Raises SettingsError."""
        await retention.keep_history(self._engine, self._lock, settings.history_days)
        if settings.clickhouse is not None:
            await reader.keep_reader(self._engine, settings)

    async def insert(self, rows: Sequence[Row]) -> None:
        """Insert rows, all of one class: all are seen, or none."""
        if not rows:
            return
        kind = type(rows[0])
        if kind not in self._inserts:
            self._inserts[kind] = Together(self._insert)
        await self._inserts[kind].ask(rows)

    async def _insert(self, asked: Sequence[Sequence[Row]]) -> list[None]:
        rows = list(chain.from_iterable(asked))
        names = [column.name for column in columns_of(type(rows[0]))]
        await self._engine.insert(rows[0].TABLE, names, encode(rows))
        return [None] * len(asked)

    async def repository_states(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], RepositoryState]:
        """Return the state of each (registry, repository); every key is in the result."""
        return await self._states.ask(keys)

    async def decisions(self, keys: Collection[tuple[str, str, int]]) -> dict[tuple[str, str, int], OutboxRow]:
        """Return the decisions there are of these (registry, repository, scan)."""
        return await self._decisions.ask(keys)

    async def listing_pages(self, readings: Collection[tuple[str, str, str]], bodies: bool) -> list[ListingPageRow]:
        """Return the staged pages of these (registry, repository, reading), by offset; body is "" unless `bodies`."""
        return await sink_reads.listing_pages(self._engine, readings, bodies)

    async def scan_units(self, registry: str, scan: int) -> list[ScanUnitRow]:
        """Return the steps of a scan, by offset."""
        return await scan_reads.scan_units(self._engine, registry, scan)

    async def pages_stored(self, registry: str, scan: int) -> int:
        """Return how many pages of a scan's readings are staged: it grows while a long reading goes on."""
        return await scan_reads.pages_stored(self._engine, registry, scan)

    async def highest_scan(self, registry: str) -> int:
        """Return the highest scan number the store has seen of a registry, 0 = none."""
        return await scan_reads.highest_scan(self._engine, registry)

    async def running_scans(self, registry: str) -> list[scan_reads.RunningScan]:
        """Return the registry's scans that have started and not ended, oldest first."""
        return await scan_reads.running_scans(self._engine, registry)

    async def is_scan_known(self, registry: str, scan: int) -> bool:
        """Return whether a lister has taken the scan."""
        return await scan_reads.is_scan_known(self._engine, registry, scan)

    async def held_back(self, registry: str) -> list[scan_reads.HeldBack]:
        """Return the removals that a fuse holds back and that still wait for a person, by repository."""
        return await scan_reads.held_back(self._engine, registry)

    async def sweeps(self, registry: str, most: int) -> list[scan_reads.Sweep]:
        """Return the registry's last full loads that have ended, the newest first."""
        return await scan_reads.sweeps(self._engine, registry, most)

    async def hook_waits(self, registry: str, most: int) -> list[float]:
        """Return how long the last reads that webhooks led to took, seconds, the newest first."""
        return await scan_reads.hook_waits(self._engine, registry, most)

    async def first_load(self, registry: str) -> int | None:
        """Return the number of the registry's first full scan that ended with something read, None where none has."""
        return await scan_reads.first_load(self._engine, registry)

    async def unfinished_scans(self) -> list[tuple[str, int]]:
        """Return (registry, scan) of scans started and not ended."""
        return await scan_reads.unfinished_scans(self._engine)

    async def known_repositories(self, registry: str) -> set[str]:
        """Return repositories whose last listing found them, or that have any present tag or image."""
        return await known.known_repositories(self._engine, registry)

    async def place_of(self, registry: str) -> known.Place | None:
        """Return where a registry's messages lay when it was last connected, None where that was not kept."""
        return await known.place_of(self._engine, registry)

    async def forgotten(self, registry: str) -> set[int]:
        """Return the partitions that have told that nothing of a deleted registry is present any more."""
        return await known.forgotten(self._engine, registry)

    async def known_tags(self, registry: str, repository: str, tags: Collection[str]) -> dict[str, Digest]:
        """Return tag → digest of the present ones; their image, platform and children are then stored too."""
        found = await self._tags.ask({(registry, repository, tag) for tag in tags})
        return {tag: digest for (_, _, tag), digest in found.items()}

    async def known_digests(self, registry: str, repository: str, digests: Collection[Digest]) -> set[Digest]:
        """Return those of a repository's digests that need not be read again."""
        found = await self._manifests.ask({(registry, repository, digest) for digest in digests})
        return {digest for (_, _, digest), is_all in found.items() if is_all}

    async def known_configs(self, registry: str, digests: Collection[Digest]) -> dict[Digest, ConfigRow]:
        """Return what is stored of these configs."""
        found = await self._configs.ask({(registry, digest) for digest in digests})
        return {digest: row for (_, digest), row in found.items()}

    def dump(self, table: str) -> AsyncIterator[bytes]:
        """Yield all rows of a table as JSON lines, in pieces."""
        return self._engine.dump(table)

    async def load(self, table: str, rows: bytes) -> None:
        """Insert rows as `dump` gave them."""
        await self._engine.load(table, rows)

    async def purge(self, registry: str) -> None:
        """Delete all that is stored of a registry, its history included."""
        await purge.purge(self._engine, registry)

    async def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a query of our own, by column name. parameters: for `{name:Type}` in it."""
        result = await self._engine.query(sql, parameters)
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]

    @asynccontextmanager
    async def select(self, sql: str, parameters: Mapping[str, Any] | None = None) -> AsyncIterator[Selection]:
        """Yield the answer to one read-only statement somebody typed: columns, types, and rows as they come.

        Raises NotReadOnly, before anything is sent, for any other statement.
        """
        statement = check_read_only(sql)
        async with self._engine.select(statement, parameters, streamed=is_query(statement)) as selection:
            yield selection
