"""SQL in, rows out: clickhouse-connect's blocking clients behind async calls, one client a thread.

One code for both ways in. A client serves one query at a time, so each thread has its own; a call that is
cancelled leaves its thread to finish, and no client is ever used by two.
"""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.common import StreamContext
from clickhouse_connect.driver.exceptions import ClickHouseError

from shared.observability.metrics import INSERT_ROWS, INSERT_SECONDS, QUERY_SECONDS
from shared.store.errors import translated
from shared.store.keys import PLACE, Keys

T = TypeVar("T")

Setting = str | int

INSERTS: Final[Mapping[str, Setting]] = {
    "async_insert": 0,  # an acknowledged insert is stored
    # One insert, one part: all of its rows or none are seen, whatever crashes.
    "max_insert_block_size": 100_000_000,
    "min_insert_block_size_rows": 100_000_000,
    "min_insert_block_size_bytes": 10_000_000_000,
}
# For statements people type: the engine may live in our own process. readonly comes last: it locks the others.
READ_ONLY: Final[Mapping[str, Setting]] = {
    "max_memory_usage": 2_000_000_000,
    "max_execution_time": 300,
    "readonly": 1,
}


_LINES: Final = "JSONEachRow"
_PIECE_BYTES: Final = 1024 * 1024


class Reach(Protocol):
    """A way to ClickHouse, and all in which the two ways differ."""

    @property
    def where(self) -> str:
        """The store, as a sentence names it."""
        ...

    @property
    def threads(self) -> int:
        """How many clients are of use."""
        ...

    def connect(self, settings: Mapping[str, Setting]) -> Client:
        """Return a new client whose every query has these settings."""
        ...

    def with_keys(self, client: Client, keys: Keys) -> AbstractContextManager[tuple[str, Mapping[str, Any]]]:
        """Return a context in which a query may have these keys: yields their set as SQL, and the query's options."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """A query's answer. types: ClickHouse's names of the columns' types."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Selection:
    """An answer that is read as it comes."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: AsyncIterator[tuple[Any, ...]]


class Engine:
    """A pool of clients. Methods raise StoreUnavailable or StoreError, never the driver's own errors."""

    def __init__(self, reach: Reach) -> None:
        self._reach: Final = reach
        self._threads: Final = ThreadPoolExecutor(reach.threads, thread_name_prefix="store")
        self._mine: Final = threading.local()
        self._clients: Final[list[Client]] = []
        self._types: Final[dict[str, list[str]]] = {}

    async def query(self, sql: str, parameters: Mapping[str, Any] | None = None, keys: Keys | None = None) -> Result:
        """Return the answer to one query. parameters: for `{name:Type}` in it.  keys: for its `{keys}`."""
        with QUERY_SECONDS.time():
            return await self._on_a_thread(self._query, sql, parameters, keys)

    async def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run one statement that answers nothing. parameters: for `{name:Type}` in it."""
        await self._on_a_thread(lambda: self._client().command(sql, parameters=dict(parameters or {})))

    async def insert(self, table: str, columns: Sequence[str], data: Sequence[Sequence[Any]]) -> None:
        """Insert values, column by column, as one block. columns: all that the table has, by name."""
        if table not in self._types:
            described = await self.query(
                "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}",
                {"table": table},
            )
            by_name = dict(described.rows)
            self._types[table] = [by_name[column] for column in columns]
        INSERT_ROWS.labels(table).observe(len(data[0]))
        with INSERT_SECONDS.labels(table).time():
            await self._on_a_thread(self._insert, table, columns, data, self._types[table])

    async def dump(self, table: str) -> AsyncIterator[bytes]:
        """Yield all rows of a table as JSON lines, in pieces, read on a client of its own."""
        with ThreadPoolExecutor(1, thread_name_prefix="store-dump") as thread:
            client = await _run(self._reach, thread, self._reach.connect, {})
            try:
                reading = partial(client.raw_stream, f"SELECT * FROM {table}", fmt=_LINES)
                stream: Any = await _run(self._reach, thread, reading)
                while piece := await _run(self._reach, thread, stream.read, _PIECE_BYTES):
                    yield piece
            finally:
                await _run(self._reach, thread, client.close)

    async def load(self, table: str, rows: bytes) -> None:
        """Insert rows as `dump` gave them."""
        await self._on_a_thread(lambda: self._client().raw_insert(table, insert_block=rows, fmt=_LINES))

    @asynccontextmanager
    async def select(
        self, sql: str, parameters: Mapping[str, Any] | None = None, *, streamed: bool = True
    ) -> AsyncIterator[Selection]:
        """Yield the answer to a read-only statement, read on a client of its own.

        streamed: block by block, as it is asked for; only queries can be.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="store-select") as thread:
            reading = _Reading(self._reach, thread)
            try:
                yield await (reading.stream if streamed else reading.whole)(sql, dict(parameters or {}))
            finally:
                await self._let_go(reading)

    async def _let_go(self, reading: "_Reading") -> None:
        try:
            if reading.unfinished:  # else the driver would read a server's answer to its end
                await self.command(f"KILL QUERY WHERE query_id = '{reading.query_id}' ASYNC")
        finally:
            await reading.close()

    async def close(self) -> None:
        """Wait for what runs, and close the clients."""
        await asyncio.to_thread(self._threads.shutdown)
        for client in self._clients:
            client.close()
        self._clients.clear()

    async def _on_a_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await _run(self._reach, self._threads, call, *arguments)

    def _client(self) -> Client:
        if not hasattr(self._mine, "client"):
            self._mine.client = self._reach.connect(INSERTS)
            self._clients.append(self._mine.client)
        client: Client = self._mine.client
        return client

    def _query(self, sql: str, parameters: Mapping[str, Any] | None, keys: Keys | None) -> Result:
        client = self._client()
        given = dict(parameters) if parameters else None
        if keys is None:
            answer = client.query(sql, parameters=given)
        else:
            with self._reach.with_keys(client, keys) as (members, options):
                answer = client.query(sql.replace(PLACE, members), parameters=given, **options)
        return Result(tuple(answer.column_names), _type_names(answer), [tuple(row) for row in answer.result_rows])

    def _insert(self, table: str, columns: Sequence[str], data: Sequence[Sequence[Any]], types: Sequence[str]) -> None:
        self._client().insert(table, data, column_names=columns, column_type_names=types, column_oriented=True)


class _Reading:
    """One statement, its client and its thread. unfinished: more of the answer is to come."""

    def __init__(self, reach: Reach, thread: ThreadPoolExecutor) -> None:
        self._reach: Final = reach
        self._thread: Final = thread
        self._client: Client | None = None
        self._stream: StreamContext | None = None
        self.query_id: Final = str(uuid.uuid4())
        self.unfinished = False

    async def stream(self, sql: str, parameters: dict[str, Any]) -> Selection:
        client = await self._connected()
        identified = partial(client.query_row_block_stream, settings={"query_id": self.query_id})
        self._stream = await self._on_thread(identified, sql, parameters)
        self.unfinished = True
        source: Any = self._stream.source
        blocks = iter(await self._on_thread(self._stream.__enter__))
        return Selection(tuple(source.column_names), _type_names(source), self._rows(blocks))

    async def whole(self, sql: str, parameters: dict[str, Any]) -> Selection:
        client = await self._connected()
        answer = await self._on_thread(client.query, sql, parameters)
        return Selection(tuple(answer.column_names), _type_names(answer), self._rows(iter([answer.result_rows])))

    async def _connected(self) -> Client:
        self._client = await self._on_thread(self._reach.connect, READ_ONLY)
        return self._client

    async def _rows(self, blocks: Iterator[Sequence[Sequence[Any]]]) -> AsyncIterator[tuple[Any, ...]]:
        while (block := await self._on_thread(next, blocks, None)) is not None:
            for row in block:
                yield tuple(row)
        self.unfinished = False

    async def _on_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await _run(self._reach, self._thread, call, *arguments)

    async def close(self) -> None:
        if self._stream is not None:
            await self._on_thread(self._stream.__exit__, None, None, None)
        if self._client is not None:
            await self._on_thread(self._client.close)


def _type_names(answer: Any) -> tuple[str, ...]:
    return tuple(type_.name for type_ in answer.column_types)


async def _run(reach: Reach, threads: ThreadPoolExecutor, call: Callable[..., T], *arguments: Any) -> T:
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, call, *arguments)
    except ClickHouseError as error:
        raise translated(error, reach.where) from error
