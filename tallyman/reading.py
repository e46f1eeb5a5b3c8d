"""Where commands read: the service that runs on the data folder, else the store itself."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from shared.errors import SettingsError
from shared.pipeline.data_lock import DataLock
from shared.settings import Settings
from tallyman.door import Door

if TYPE_CHECKING:
    from shared.store.store import Store

Answer = tuple[Sequence[str], AsyncIterator[Sequence[Any]]]


class Reads(Protocol):
    """Answers read-only statements with columns and rows."""

    def select(self, sql: str) -> AbstractAsyncContextManager[Answer]: ...


@asynccontextmanager
async def open_reading(settings: Settings) -> AsyncIterator[Reads]:
    """Yield what answers statements.

    Raises SettingsError where nothing was ever loaded into the data folder, DataLocked where a service has it that
    does not answer.
    """
    if settings.clickhouse is None:
        if door := await Door.find(settings.data):
            yield door
            return
        if not (settings.data / "clickhouse").is_dir():
            raise SettingsError(
                f"There is no inventory in {settings.data} yet: load a registry first (tallyman load "
                "https://registry.example.com), or name the folder that has one with --data."
            )
        with DataLock(settings.data):
            async with _store(settings) as store:
                yield store
        return
    async with _store(settings) as store:
        yield store


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Reads]:
    from services.opening import open_store  # the engine takes a second to import: only where no service answers

    async with open_store(settings) as store:
        yield Direct(store)


@dataclass(frozen=True)
class Direct:
    """The store itself, where this process has it."""

    store: "Store"

    @asynccontextmanager
    async def select(self, sql: str) -> AsyncIterator[Answer]:
        async with self.store.select(sql) as selection:
            yield selection.columns, selection.rows
