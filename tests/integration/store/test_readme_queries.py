"""Every query in the README answers, on both engines, through the read-only door."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from shared.store import Store
from tests.support.store_rows import NOW, Rows, digest

README = Path(__file__).parents[3] / "README.md"
QUERIES = re.findall(r"```sql\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_there_are_ten_queries_at_least() -> None:
    assert len(QUERIES) >= 10


@pytest.fixture
async def inventory(store: Store, rows: Rows) -> str:
    """A registry in which each of the README's questions has an answer; returns its name."""
    name = f"name-of-{rows.registry}"
    old = NOW - timedelta(days=800)
    shared = [rows.image("shared"), rows.image("shared", repository="team/other")]
    arm = rows.image("arm", architecture="arm64", created=old)
    gone = rows.image("gone", present=False)
    await store.insert([rows.named(name)])
    await store.insert([*shared, arm, gone])
    await store.insert([rows.tag("latest", "shared"), rows.tag("1.0", "arm")])
    await store.insert([rows.move("latest", "arm", None), rows.move("latest", "shared", "arm", version=2)])
    await store.insert([rows.unit("started")])
    return name


@pytest.mark.parametrize("number", range(len(QUERIES)))
async def test_each_query_answers(number: int, store: Store, inventory: str) -> None:
    query = QUERIES[number].replace("sha256:" + "0" * 64, digest("shared"))
    async with store.select(query.strip()) as selection:
        answers = [row async for row in selection.rows]
    assert answers, "the README's question finds nothing where there is something to find"
