"""The store: what the services ask of ClickHouse and tell it, whichever way it is reached."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

from shared.oci.digest import Digest
from shared.settings import Settings
from shared.store.rows import ConfigRow, ListingPageRow, OutboxRow, Row, ScanUnitRow
from shared.store.state import RepositoryState


class Store:
    """One open store. Methods raise StoreUnavailable while it does not answer, StoreError when it refuses."""

    @classmethod
    async def open(cls, settings: Settings) -> Self:
        """Return an open store: the embedded engine under `settings.data`, or the server `settings.clickhouse`."""
        raise NotImplementedError

    async def close(self) -> None: ...

    async def migrate(self) -> tuple[str, ...]:
        """Bring the schema up to date; return the names of the migrations applied now."""
        raise NotImplementedError

    async def insert(self, rows: Sequence[Row]) -> None:
        """Insert rows, all of one class, as one atomic block."""
        raise NotImplementedError

    async def repository_states(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], RepositoryState]:
        """Return the state of each (registry, repository); every key is in the result."""
        raise NotImplementedError

    async def decisions(self, keys: Collection[tuple[str, str, int]]) -> dict[tuple[str, str, int], OutboxRow]:
        """Return the decisions there are of these (registry, repository, scan)."""
        raise NotImplementedError

    async def listing_pages(self, readings: Collection[tuple[str, str, str]], bodies: bool) -> list[ListingPageRow]:
        """Return the staged pages of these (registry, repository, reading); body is "" unless `bodies`."""
        raise NotImplementedError

    async def scan_units(self, registry: str, scan: int) -> list[ScanUnitRow]:
        raise NotImplementedError

    async def known_repositories(self, registry: str) -> set[str]:
        """Return repositories whose last listing found them, or that have any present tag or image."""
        raise NotImplementedError

    async def known_tags(self, registry: str, repository: str, tags: Collection[str]) -> dict[str, Digest]:
        """Return tag → digest of the present ones whose image, platform and children are all stored."""
        raise NotImplementedError

    async def known_configs(self, registry: str, digests: Collection[Digest]) -> dict[Digest, ConfigRow]:
        raise NotImplementedError

    async def highest_scan(self, registry: str) -> int:
        """Return the highest scan number the store has seen of a registry, 0 = none."""
        raise NotImplementedError

    async def unfinished_scans(self) -> list[tuple[str, int]]:
        """Return (registry, scan) of scans started and not ended."""
        raise NotImplementedError

    async def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a query of our own, by column name."""
        raise NotImplementedError
