"""How long the console's questions take on many images, beside a bare count of the same rows.

python -m benchmarks.console_pages [IMAGES]     the embedded store, an estate of 2,000 repositories, medians of five
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from services.console.inventory.images import ImageFilter, ImageSort, count_images, images_page, tags_page
from services.console.inventory.numbers import growth, numbers
from shared.messages.connection_changed import Connection
from shared.oci.digest import Digest
from shared.settings import Settings
from shared.store.rows import ImageRow, TagRow
from shared.store.store import Store

RUNS: Final = 5
_BATCH: Final = 20_000
_REGISTRY: Final = "registry1"
_CONNECTION: Final = Connection(registry=_REGISTRY, slot=0, name="many", host="https://registry.example.com")
_NOW: Final = datetime(2026, 11, 27, tzinfo=UTC)


def _rows(number: int) -> tuple[ImageRow, TagRow]:
    digest, repository = Digest.of(str(number).encode()), f"team{number % 50}/app{number % 2000}"
    seen = _NOW - timedelta(minutes=number % 40_000)
    image = ImageRow(
        registry=_REGISTRY,
        repository=repository,
        digest=digest,
        present=True,
        kind="image",
        media_type="application/vnd.oci.image.manifest.v1+json",
        artifact_type="",
        os="linux",
        architecture=("amd64", "arm64")[number % 2],
        variant="",
        os_version="",
        size_bytes=number * 1000,
        created=seen,
        config=None,
        first_seen=seen,
        changed_at=_NOW,
        version=1,
    )
    tag = TagRow(
        registry=_REGISTRY,
        repository=repository,
        tag=f"v{number}",
        digest=digest,
        present=True,
        changed_at=_NOW,
        version=1,
    )
    return image, tag


async def _fill(store: Store, images: int) -> None:
    for start in range(0, images, _BATCH):
        made = [_rows(number) for number in range(start, min(images, start + _BATCH))]
        await store.insert([image for image, _ in made])
        await store.insert([tag for _, tag in made])


def _questions(store: Store) -> dict[str, Callable[[], Awaitable[Any]]]:
    about = {_REGISTRY: _CONNECTION}

    def page(search: str | None, sort: ImageSort) -> Callable[[], Awaitable[Any]]:
        return lambda: images_page(store, ImageFilter(search=search), about, sort, None, 50)

    return {
        "bare count of the rows": lambda: store.query("SELECT count() FROM images FINAL"),
        "a page by repository": page(None, ImageSort.REPOSITORY),
        "a page, the newest first": page(None, ImageSort.NEWEST),
        "a page of a search": page("app19", ImageSort.REPOSITORY),
        "count of all": lambda: count_images(store, ImageFilter(), about),
        "a page of tags": lambda: tags_page(store, ImageFilter(), about, None, 50),
        "the start page's numbers": lambda: numbers(store, [_REGISTRY], _NOW),
        "growth over 30 days": lambda: growth(store, [_REGISTRY], _NOW, 30),
    }


async def main(images: int) -> None:
    """Print a line for each question: milliseconds, and how many times the bare count."""
    with TemporaryDirectory() as folder:
        store = await Store.open(Settings(data=Path(folder)))
        await store.migrate()
        await _fill(store, images)
        bare = 0.0
        for name, ask in _questions(store).items():
            times = []
            for _ in range(RUNS):
                began = time.perf_counter()
                await ask()
                times.append(time.perf_counter() - began)
            median = statistics.median(times)
            bare = bare or median
            print(f"{images:>9,} images  {name:<26} {median * 1000:7.0f} ms  {median / bare:5.1f} x the bare count")
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
