"""The store is asked of tags only where it can know something."""

from services.manifester.known_tags import NAMES_KEPT, KnownTags
from shared.messages.model import Reading, ScanContext, ScanKind
from shared.messages.tags_found import FoundTag, TagsFound
from shared.oci.digest import Digest
from tests.fakes.registry_access import CONTEXT
from tests.fakes.store import FakeStore

_DIGEST = Digest.of(b"x")
_READING = Reading(id="r", leg="r", page=0, last=True)


def _page(repository: str = "r", context: ScanContext = CONTEXT) -> TagsFound:
    return TagsFound(context=context, repository=repository, reading=_READING, tags=(FoundTag(name="a"),))


def _scan(number: int, kind: ScanKind = ScanKind.FULL) -> ScanContext:
    return CONTEXT.model_copy(update={"scan": number, "kind": kind})


async def test_of_a_repository_that_is_not_known_no_tag_is_asked() -> None:
    store = FakeStore({("r", "a"): _DIGEST})
    known = KnownTags(store)
    assert await known.of(_page("new")) == {}
    assert await known.of(_page("other")) == {}
    assert store.asked == ["repositories"]


async def test_of_a_known_repository_the_tags_are_asked() -> None:
    store = FakeStore({("r", "a"): _DIGEST})
    known = KnownTags(store)
    assert await known.of(_page()) == {"a": _DIGEST}
    assert await known.of(_page()) == {"a": _DIGEST}
    assert store.asked == ["repositories", "tags", "tags"]


async def test_the_next_scan_asks_anew_which_repositories_are_known() -> None:
    store = FakeStore()
    known = KnownTags(store)
    assert await known.of(_page(context=_scan(1))) == {}
    store.tags["r", "a"] = _DIGEST
    assert await known.of(_page(context=_scan(1))) == {}
    assert await known.of(_page(context=_scan(2))) == {"a": _DIGEST}


async def test_a_targeted_scan_does_not_ask_for_all_repositories() -> None:
    store = FakeStore({("r", "a"): _DIGEST})
    assert await KnownTags(store).of(_page(context=_scan(1, ScanKind.TAG))) == {"a": _DIGEST}
    assert await KnownTags(store).of(_page("new", _scan(2, ScanKind.REPOSITORY))) == {}
    assert store.asked == ["tags", "tags"]


async def test_of_many_scans_side_by_side_each_asks_once() -> None:
    store = FakeStore()
    known = KnownTags(store)
    for number in [*range(1000), *range(1000)]:
        await known.of(_page(context=_scan(number)))
    assert len(store.asked) == 1000


async def test_of_scans_long_past_nothing_is_kept() -> None:
    store = FakeStore({(f"r{number}", "a"): _DIGEST for number in range(NAMES_KEPT // 4)})
    known = KnownTags(store)
    for number in range(5):
        await known.of(_page("new", _scan(number)))
    await known.of(_page("new", _scan(4)))
    assert len(store.asked) == 5
    await known.of(_page("new", _scan(0)))
    assert len(store.asked) == 6
