"""What need not be asked again, and what numbers and ends scans."""

from datetime import timedelta

from shared.store import Store
from shared.store.known import Place
from shared.store.rows import ForgottenRow, ScanUnitRow
from shared.store.scan_reads import Sweep
from tests.support.store_rows import NOW, Rows, digest


async def known(store: Store, rows: Rows, *tags: str) -> set[str]:
    """The tags among these that are known."""
    return set(await store.known_tags(rows.registry, rows.repository, tags))


async def test_a_present_tag_is_known_with_its_digest(store: Store, rows: Rows) -> None:
    assert await known(store, rows, "a", "b") == set()
    await store.insert([rows.tag("a", "x"), rows.tag("b", "y")])
    assert await store.known_tags(rows.registry, rows.repository, ["a", "c"]) == {"a": digest("x")}
    assert await store.known_tags(rows.registry, rows.repository, []) == {}


async def test_a_moved_tag_is_known_where_it_points_now(store: Store, rows: Rows) -> None:
    await store.insert([rows.tag("a", "x")])
    await store.insert([rows.tag("a", "y", version=2)])
    assert await store.known_tags(rows.registry, rows.repository, ["a"]) == {"a": digest("y")}


async def test_a_removed_tag_is_not_known(store: Store, rows: Rows) -> None:
    await store.insert([rows.tag("a", "x")])
    await store.insert([rows.tag("a", "x", present=False, version=2)])
    assert await known(store, rows, "a") == set()


async def test_a_tag_of_another_repository_or_registry_is_not_known(store: Store, rows: Rows) -> None:
    await store.insert([rows.tag("a", "x", repository="other"), Rows(rows.registry[::-1]).tag("a", "x")])
    assert await known(store, rows, "a") == set()


async def test_a_page_of_names_as_long_as_a_registry_may_tell_them_is_looked_up(store: Store, rows: Rows) -> None:
    longest = [f"{n:03}".ljust(128, "🐳") for n in range(100)]
    beyond = [f"{n:03}".ljust(1024, "🐳") for n in range(100)]
    await store.insert([rows.tag(tag, "x") for tag in (*longest, *beyond)])
    assert await known(store, rows, *longest) == set(longest)
    assert await known(store, rows, *longest[:50], *beyond[:50]) == set(longest[:50])


async def test_configs_are_known_by_registry_and_digest(store: Store, rows: Rows) -> None:
    arm = rows.config("c1", architecture="arm64", variant="v8", created=None)
    await store.insert([arm, rows.config("c2"), Rows(rows.registry[::-1]).config("c3")])
    found = await store.known_configs(rows.registry, [digest("c1"), digest("c3"), digest("c4")])
    assert found == {digest("c1"): arm}
    assert await store.known_configs(rows.registry, []) == {}


async def test_digests_are_known_in_their_repository_unless_only_an_index_told_of_them(
    store: Store, rows: Rows
) -> None:
    await store.insert([rows.image("read"), rows.image("told by an index", size_bytes=None)])
    await store.insert([rows.image("index", kind="index", size_bytes=None), rows.image("x", repository="other")])
    asked = [digest(name) for name in ("read", "told by an index", "index", "x", "never seen")]
    assert await store.known_digests(rows.registry, rows.repository, asked) == {digest("read"), digest("index")}


async def test_repositories_are_known_by_a_listing_a_tag_or_an_image(store: Store, rows: Rows) -> None:
    await store.insert([rows.listing(repository="listed"), rows.listing(repository="gone", present=False)])
    await store.insert([rows.tag("a", "x", repository="tagged"), rows.tag("a", "x", repository="u", present=False)])
    await store.insert([rows.image("x", repository="held"), rows.image("x", repository="v", present=False)])
    assert await store.known_repositories(rows.registry) == {"listed", "tagged", "held"}


async def test_a_repository_that_went_is_known_no_more(store: Store, rows: Rows) -> None:
    await store.insert([rows.listing(1, repository="a")])
    await store.insert([rows.listing(2, repository="a", present=False)])
    assert await store.known_repositories(rows.registry) == set()


async def test_the_highest_scan_is_found_wherever_it_left_a_trace(store: Store, rows: Rows) -> None:
    assert await store.highest_scan(rows.registry) == 0
    await store.insert([rows.listing(3)])
    assert await store.highest_scan(rows.registry) == 3
    await store.insert([rows.unit("started", scan=4)])
    assert await store.highest_scan(rows.registry) == 4
    await store.insert([rows.decision(5)])
    assert await store.highest_scan(rows.registry) == 5
    await store.insert([rows.tag("a", "x", version=6)])
    assert await store.highest_scan(rows.registry) == 6


async def test_a_scan_is_unfinished_from_its_start_to_its_end(store: Store, rows: Rows) -> None:
    await store.insert([rows.unit("started", scan=scan) for scan in (1, 2)])
    await store.insert([rows.unit("expected", "ended", scan=1), rows.unit("expected", "a", scan=3)])
    await store.insert([rows.unit("ended", scan=2, reason="complete")])
    assert [scan for registry, scan in await store.unfinished_scans() if registry == rows.registry] == [1]


async def test_full_loads_are_told_with_what_they_found_and_the_hooks_before_them(store: Store, rows: Rows) -> None:
    def load(scan: int, status: str = "complete") -> list[ScanUnitRow]:
        return [
            rows.unit("started", scan=scan, kind="full"),
            rows.unit("ended", scan=scan, kind="full", reason=status, offset=scan),
        ]

    hooks = [rows.unit("started", scan=scan, kind="tag", reason="webhook") for scan in (3, 4, 7)]
    manual = [rows.unit("started", scan=6, kind="tag", reason="manual")]
    await store.insert([*load(2), *hooks, *manual, *load(5), *load(8, "partial"), rows.unit("started", scan=9)])
    await store.insert([rows.move("a", "x", None, 2), rows.move("a", "y", "x", 3), rows.move("b", "y", None, 8)])
    assert await store.sweeps(rows.registry, 5) == [
        Sweep(8, "partial", changes=1, hooks=1),
        Sweep(5, "complete", changes=0, hooks=2),
        Sweep(2, "complete", changes=1, hooks=0),
    ]
    assert [sweep.scan for sweep in await store.sweeps(rows.registry, 1)] == [8]
    assert await store.sweeps("nowhere00", 5) == []


async def test_the_reads_that_hooks_led_to_are_told_with_how_long_each_took(store: Store, rows: Rows) -> None:
    def read(scan: int, reason: str, seconds: float | None) -> list[ScanUnitRow]:
        started = rows.unit("started", scan=scan, kind="tag", reason=reason)
        if seconds is None:
            return [started]
        return [
            started,
            rows.unit("ended", scan=scan, kind="tag", reason="complete", at=NOW + timedelta(seconds=seconds)),
        ]

    await store.insert(
        [*read(2, "webhook", 0.5), *read(3, "manual", 9), *read(4, "webhook", 2), *read(5, "webhook", None)]
    )
    assert await store.hook_waits(rows.registry, 5) == [2.0, 0.5]
    assert await store.hook_waits(rows.registry, 1) == [2.0]
    assert await store.hook_waits("nowhere00", 5) == []


async def test_a_registrys_place_outlives_its_connection(store: Store, rows: Rows) -> None:
    assert await store.place_of(rows.registry) is None
    await store.insert([rows.named("a", slot=5, shards=2), rows.named("b", slot=5, shards=3, version=2)])
    await store.insert([rows.named("", deleted=True, version=9)])
    assert await store.place_of(rows.registry) == Place(5, 3)
    await store.insert([ForgottenRow(rows.registry, 5, NOW), ForgottenRow(rows.registry, 6, NOW)])
    assert await store.forgotten(rows.registry) == {5, 6}
