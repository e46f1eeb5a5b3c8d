"""Every query of the cookbook runs on the estate that it speaks of, and answers what stands below it."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from shared.messages.model import Failure
from shared.oci.digest import Digest
from shared.store import Store
from tests.support.clickhouse import ClickHouse, own_database
from tests.support.store_rows import Rows

COOKBOOK = Path(__file__).parents[3] / "docs" / "cookbook.md"
RECIPES = re.findall(
    r"^## (.*?)\n(?:.*?)```sql\n(.*?)```\n\n```text\n(.*?)```", COOKBOOK.read_text("utf-8"), re.DOTALL | re.MULTILINE
)


def day(number: int) -> datetime:
    return datetime(2026, 10, number, 8, tzinfo=UTC)


def digest(letter: str) -> Digest:
    return Digest("sha256:" + letter * 64)


class History:
    """Fills a store with what two registries held over October."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def image(self, rows: Rows, letter: str, first: int, gone: int | None = None, **facts: Any) -> None:
        times = {"first_seen": day(first), "changed_at": day(gone or first), "present": gone is None}
        row = rows.image(letter, version=gone or first, **times, **facts)
        await self.store.insert([replace(row, digest=digest(letter))])

    async def index(self, rows: Rows, letter: str, first: int, members: dict[str, str]) -> None:
        row = rows.index(letter, version=first, first_seen=day(first), changed_at=day(first))
        await self.store.insert([replace(row, digest=digest(letter))])
        for architecture, member in members.items():
            child = rows.child(letter, member, architecture=architecture)
            await self.store.insert([replace(child, index=digest(letter), child=digest(member))])
            await self.image(rows, member, first, architecture=architecture)

    async def tag(self, rows: Rows, tag: str, *held: tuple[str, int]) -> None:
        """Let a tag point to digests, each from a day on."""
        before: Digest | None = None
        for letter, since in held:
            move = rows.move(tag, letter, None, version=since)
            await self.store.insert([replace(move, digest=digest(letter), previous=before, moved_at=day(since))])
            before = digest(letter)
        letter, since = held[-1]
        row = rows.tag(tag, letter, changed_at=day(since), version=since)
        await self.store.insert([replace(row, digest=digest(letter))])


@pytest_asyncio.fixture(scope="module")
async def estate(server_store: Store, clickhouse_server: ClickHouse) -> AsyncIterator[Store]:
    async with own_database(clickhouse_server, server_store, "cookbook") as store:
        await _fill(store)
        yield store


async def _fill(store: Store) -> None:
    history = History(store)
    prod, staging = (Rows(name, "team/app") for name in ("prod0000", "staging0"))
    await store.insert([prod.named("prod"), staging.named("staging")])
    await history.image(prod, "1", 1, gone=12)
    await history.image(prod, "2", 10)
    await history.image(prod, "3", 20)
    await history.tag(prod, "latest", ("1", 1), ("2", 10), ("3", 20))
    await history.tag(prod, "1.0.0", ("1", 1), ("2", 12))
    await history.tag(prod, "2.0.0", ("3", 20))
    web = replace(prod, repository="team/web")
    await history.index(web, "a", 5, {"amd64": "b"})
    await history.tag(web, "latest", ("a", 5))
    old = replace(prod, repository="team/old")
    await history.image(old, "9", 1, size_bytes=100_000_000, architecture="amd64")
    for registry in (prod, staging):
        api = replace(registry, repository="team/api")
        await history.index(api, "c", 20, {"amd64": "d", "arm64": "e"})
        await history.tag(api, "1.0", ("c", 20))
    await history.image(staging, "3", 21)
    await history.tag(staging, "latest", ("3", 21))
    limited = (Failure(what="latest", reason="rate_limited"), Failure(what="1.0.0", reason="rate_limited"))
    held = (Failure(what="team/gone", reason="held", detail="30 of 31 tags would be removed."),)
    await store.insert(
        [
            prod.unit("failed", "team/app", scan=3, failures=limited, at=day(20)),
            staging.unit("held", "team/gone", scan=4, failures=held, at=day(21)),
        ]
    )


def test_each_question_has_its_query_and_its_answer() -> None:
    asked = re.findall(r"^## ", COOKBOOK.read_text("utf-8"), re.MULTILINE)
    assert len(RECIPES) == len(asked) >= 12


@pytest.mark.parametrize(("question", "query", "answer"), RECIPES, ids=[recipe[0] for recipe in RECIPES])
async def test_a_query_answers_what_the_cookbook_says(estate: Store, question: str, query: str, answer: str) -> None:
    async with estate.select(query.strip()) as selection:
        found = [" | ".join(map(_shown, row)) async for row in selection.rows]
    assert found == answer.strip().splitlines()


def _shown(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
