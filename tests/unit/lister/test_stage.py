"""The lister's handler: what a scan's request leads to."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.access import REASON_DELETED, REASON_INACTIVE
from services.lister.catalog import ANSWERS_PER_MESSAGE, NAMES_PER_MESSAGE, NAMES_PER_PAGE
from services.lister.selection import REASON_FILTERED
from services.lister.stage import PAGES_AT_MOST, REASON_INCOMPLETE_REQUEST, lister_stage
from services.readings import TAGS_PER_PAGE
from shared.errors import PermanentError, TransientError
from shared.messages.connection_changed import Connection
from shared.messages.model import Failure, Message, ScanContext, ScanKind
from shared.messages.repository_found import RepositoryFound
from shared.messages.scan_progressed import CatalogPage, ScanProgressed, ScanStarted, UnitReported
from shared.messages.scan_requested import ScanRequested
from shared.messages.tags_found import FoundTag, TagsFound
from shared.oci.digest import Digest
from shared.pipeline.stage import Stage
from shared.registry.dialect import Listing, RepositoriesPage
from shared.settings import Settings
from tests.fakes.registry_access import REGISTRY, UNREADABLE, FakeRegistry, access, connection, told, unavailable

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SCAN_BASE = 100
OFFSET = 5


@dataclass
class OpenWindow:
    """Lets everything through, and notes it."""

    entered: list[tuple[str, int]] = field(default_factory=list)

    async def enter(self, context: ScanContext, repository: str, most: int) -> None:
        self.entered.append((repository, most))


def stage(registry: FakeRegistry, to: Connection | None, window: OpenWindow | None = None) -> Stage[ScanRequested]:
    return lister_stage(
        access(registry, to), window or OpenWindow(), Settings(window_repositories=10), lambda: NOW, lambda: "id"
    )


def request(**fields: Any) -> ScanRequested:
    made = ScanRequested(
        registry=REGISTRY, request="r", requested_at=NOW, connection=3, slot=0, shards=1, partitions=4, **fields
    )
    return made.received_at(OFFSET)


async def listed(registry: FakeRegistry, asked: ScanRequested | None = None, **settings: Any) -> list[Message]:
    """What the lister tells of a request over an active connection."""
    to = connection(scan_base=SCAN_BASE, **settings)
    return await told(stage(registry, to).handle(asked or request()))


def found(messages: list[Message]) -> list[str]:
    return [message.repository for message in messages if isinstance(message, RepositoryFound)]


def pages(messages: list[Message]) -> list[CatalogPage]:
    steps = [message.progress for message in messages if isinstance(message, ScanProgressed)]
    return [step for step in steps if isinstance(step, CatalogPage)]


def registry_of(*names: str, page_size: int = 1000) -> FakeRegistry:
    return FakeRegistry({name: {} for name in names}, page_size=page_size)


async def test_a_full_scan_tells_its_start_each_repository_and_the_page_that_names_them() -> None:
    messages = await listed(registry_of("a", "b"))
    assert isinstance(messages[0], ScanProgressed)
    assert messages[0].progress == ScanStarted(request="r", reason=request().reason, at=NOW)
    assert found(messages) == ["a", "b"]
    assert pages(messages) == [
        CatalogPage(page=0, names=("a", "b"), last=False, requests=1),
        CatalogPage(page=1, last=True),
    ]


async def test_the_scans_number_is_the_scan_base_and_the_requests_offset() -> None:
    messages = await listed(registry_of("a"))
    assert {message.context.scan for message in messages if isinstance(message, ScanProgressed | RepositoryFound)} == {
        SCAN_BASE + OFFSET
    }


async def test_an_empty_catalog_is_pages_without_names() -> None:
    assert pages(await listed(registry_of())) == [
        CatalogPage(page=0, last=False, requests=1),
        CatalogPage(page=1, last=True),
    ]


async def test_a_long_catalog_goes_on_in_a_continuation_that_keeps_the_scans_number() -> None:
    names = [f"r{number:02}" for number in range(ANSWERS_PER_MESSAGE + 2)]
    registry = registry_of(*names, page_size=1)
    first = await listed(registry)
    assert [page.last for page in pages(first)] == [False] * ANSWERS_PER_MESSAGE
    continuation = first[-1]
    assert isinstance(continuation, ScanRequested)
    second = await listed(registry, continuation.received_at(OFFSET + 9))
    assert found(first) + found(second) == names
    assert [page.page for page in pages(first) + pages(second)] == list(range(len(names) + 1))
    assert pages(second)[-1].last
    assert pages(second)[-1].proves
    assert {message.context.scan for message in second if isinstance(message, RepositoryFound)} == {SCAN_BASE + OFFSET}
    assert not any(
        isinstance(message.progress, ScanStarted) for message in second if isinstance(message, ScanProgressed)
    )


async def test_a_message_ends_early_where_answers_are_large() -> None:
    registry = registry_of(*(f"r{number:04}" for number in range(NAMES_PER_MESSAGE + 1)), page_size=NAMES_PER_MESSAGE)
    messages = await listed(registry)
    assert len(pages(messages)) == 1
    assert isinstance(messages[-1], ScanRequested)


async def test_a_registry_that_gives_all_at_once_fills_several_pages_of_which_one_is_last() -> None:
    names = [f"r{number:04}" for number in range(NAMES_PER_PAGE + 1)]
    messages = await listed(registry_of(*names, page_size=10_000))
    assert [(len(page.names), page.last, page.requests) for page in pages(messages)] == [
        (NAMES_PER_PAGE, False, 1),
        (1, False, 0),
        (0, True, 0),
    ]
    assert found(messages) == names


async def test_each_repository_goes_through_the_window_before_it_is_sent_on() -> None:
    window = OpenWindow()
    await told(stage(registry_of("a", "b"), connection(max_rps=2), window).handle(request()))
    assert window.entered == [("a", 8), ("b", 8)]


async def test_a_catalog_that_breaks_off_ends_incomplete_with_its_reason_and_keeps_what_it_has() -> None:
    registry = registry_of("a", "b", page_size=1)
    registry.troubles["catalog"] = [None, unavailable()]
    messages = await listed(registry)
    assert found(messages) == ["a"]
    assert [page.last for page in pages(messages)] == [False, True]
    end = pages(messages)[-1]
    assert (end.page, end.names, end.complete, end.proves, end.requests) == (1, (), False, False, 1)
    assert [(why.reason, why.detail) for why in end.failures] == [
        ("registry_unavailable", "registry.test answered 503 each time.")
    ]


async def test_a_repository_that_the_patterns_leave_out_is_expected_and_skipped_but_not_read() -> None:
    messages = await listed(registry_of("a", "b"), exclude=("b",))
    assert found(messages) == ["a"]
    assert pages(messages)[0].names == ("a", "b")
    assert pages(messages)[0].proves
    units = [message.progress for message in messages if isinstance(message, ScanProgressed)]
    assert [
        (unit.repository, unit.outcome, unit.failures[0].reason) for unit in units if isinstance(unit, UnitReported)
    ] == [("b", "skipped", REASON_FILTERED)]


async def test_a_list_of_ones_own_is_read_instead_of_the_catalog_and_proves_nothing_absent() -> None:
    registry = registry_of("a", "b", "c")
    messages = await listed(registry, repositories=("b", "x", "b"))
    assert found(messages) == ["b", "x"]
    assert pages(messages) == [
        CatalogPage(page=0, names=("b", "x"), last=False, proves=False),
        CatalogPage(page=1, last=True, proves=False),
    ]
    assert registry.asked == []


async def test_a_list_that_is_emptied_in_the_middle_of_a_scan_ends_it_incomplete() -> None:
    names = tuple(f"r{number:04}" for number in range(1000))
    first = await listed(registry_of(), repositories=names)
    assert isinstance(first[-1], ScanRequested)
    second = await listed(registry_of("a"), first[-1])
    assert found(second) == []
    assert [(page.last, page.complete) for page in pages(second)] == [(True, False)]


async def test_a_one_repository_scan_names_its_repository_and_proves_nothing_absent() -> None:
    registry = registry_of("a")
    messages = await listed(registry, request(kind=ScanKind.REPOSITORY, repository="a"), exclude=("a",))
    assert found(messages) == ["a"]
    assert pages(messages) == [CatalogPage(page=0, names=("a",), last=True, proves=False)]
    assert registry.asked == []


async def test_a_one_tag_scan_sends_its_tag_on() -> None:
    messages = await listed(registry_of(), request(kind=ScanKind.TAG, repository="a", tag="1"))
    assert [(message.repository, message.tag) for message in messages if isinstance(message, RepositoryFound)] == [
        ("a", "1")
    ]


async def test_a_targeted_scan_does_not_wait_for_the_window() -> None:
    window = OpenWindow()
    asked = request(kind=ScanKind.REPOSITORY, repository="a")
    await told(stage(registry_of("a"), connection(), window).handle(asked))
    assert window.entered == []


@pytest.mark.parametrize("fields", [{"kind": ScanKind.REPOSITORY}, {"kind": ScanKind.TAG, "repository": "a"}])
async def test_a_targeted_scan_that_names_nothing_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(PermanentError) as refused:
        await listed(registry_of("a"), request(**fields))
    assert refused.value.reason == REASON_INCOMPLETE_REQUEST


@pytest.mark.parametrize(("to", "reason"), [(None, REASON_DELETED), (connection(is_active=False), REASON_INACTIVE)])
async def test_a_deleted_or_inactive_registry_is_not_asked_and_its_scan_ends(
    to: Connection | None, reason: str
) -> None:
    registry = registry_of("a")
    messages = await told(stage(registry, to).handle(request()))
    assert registry.asked == []
    assert [(page.last, page.complete, page.failures[0].reason) for page in pages(messages)] == [(True, False, reason)]
    assert isinstance(messages[0], ScanProgressed)
    assert isinstance(messages[0].progress, ScanStarted)  # whoever asked finds the scan


async def test_an_unreadable_password_ends_the_catalog_and_sends_nothing() -> None:
    registry = registry_of("a")
    messages = await listed(registry, password=UNREADABLE)
    assert registry.asked == []
    assert [(page.complete, page.failures[0].reason) for page in pages(messages)] == [(False, "secret_unreadable")]


async def test_a_request_that_is_given_up_ends_its_catalog_after_all_pages_it_may_have_told() -> None:
    giving_up = stage(registry_of(), connection(scan_base=SCAN_BASE)).give_up
    error = TransientError("No.", reason="connections_unread")
    first = list(giving_up(request(), error))
    assert [type(message.progress) for message in first if isinstance(message, ScanProgressed)] == [
        ScanStarted,
        CatalogPage,
    ]
    end = pages(first)[0]
    assert (end.last, end.complete, end.failures[0].reason) == (True, False, "connections_unread")
    assert end.page >= PAGES_AT_MOST
    assert first[0].context.scan == SCAN_BASE + OFFSET  # type: ignore[attr-defined]


async def test_scans_of_one_registry_do_not_wait_for_one_another() -> None:
    order = stage(registry_of(), connection()).order
    continuation = (await listed(registry_of(*"abcdefg", page_size=1)))[-1]
    assert isinstance(continuation, ScanRequested)
    assert order(continuation) == order(request())
    assert order(request().model_copy(update={"request": "another"})) != order(request())


@given(names=st.sets(st.text("abcxyz/-", min_size=1, max_size=5), max_size=40), page_size=st.integers(1, 12))
async def test_whatever_the_page_size_each_name_comes_once_and_one_page_is_last(
    names: set[str], page_size: int
) -> None:
    registry = registry_of(*names, page_size=page_size)
    messages: list[Message] = []
    asked: ScanRequested | None = request()
    while asked:
        step = await listed(registry, asked)
        messages += step
        asked = step[-1] if isinstance(step[-1], ScanRequested) else None
    assert found(messages) == sorted(names)
    assert [name for page in pages(messages) for name in page.names] == sorted(names)
    assert [page.last for page in pages(messages)].count(True) == 1
    assert pages(messages)[-1].last


def listing(repository: str, *tags: str) -> Listing:
    return Listing(repository, tuple(FoundTag(name=tag, digest=Digest.of(tag.encode())) for tag in tags))


async def test_what_a_product_lists_with_its_tags_goes_past_the_tagger_in_whole_readings() -> None:
    registry = registry_of()
    many = tuple(f"{number:03}" for number in range(TAGS_PER_PAGE + 1))
    registry.pages = [RepositoriesPage(names=("a",), listings=(listing("b", "1"), listing("c", *many)))]
    messages = await listed(registry)
    readings = [message for message in messages if isinstance(message, TagsFound)]
    assert found(messages) == ["a"]
    assert [(page.repository, len(page.tags), page.reading.page, page.reading.last) for page in readings] == [
        ("b", 1, 0, True),
        ("c", TAGS_PER_PAGE, 0, False),
        ("c", 1, 1, True),
    ]
    assert pages(messages)[0].names == ("a", "b", "c")


async def test_a_listing_goes_through_the_window_and_the_patterns_like_any_repository() -> None:
    registry, window = registry_of(), OpenWindow()
    registry.pages = [RepositoriesPage(listings=(listing("a", "1"), listing("b", "1")))]
    to = connection(exclude=("b",), max_rps=2)
    messages = await told(stage(registry, to, window).handle(request()))
    assert window.entered == [("a", 8)]
    assert [message.repository for message in messages if isinstance(message, TagsFound)] == ["a"]


async def test_a_listing_without_tags_is_for_the_tagger_to_ask_again() -> None:
    registry = registry_of()
    registry.pages = [RepositoriesPage(listings=(listing("a"),))]
    assert found(await listed(registry)) == ["a"]


async def test_what_could_not_be_read_is_told_and_the_catalog_proves_nothing() -> None:
    why = Failure(what="shelf", reason="forbidden")
    registry = registry_of()
    registry.pages = [RepositoriesPage(names=("a",), failures=(why,)), RepositoriesPage(names=("b",))]
    messages = await listed(registry)
    assert found(messages) == ["a", "b"]
    assert [page.failures for page in pages(messages)] == [(why,), (), ()]
    end = pages(messages)[-1]
    assert (end.last, end.complete, end.proves) == (True, False, False)


async def test_what_was_left_unread_is_remembered_over_continuations() -> None:
    registry = registry_of()
    failures = (Failure(what="shelf", reason="forbidden"),)
    registry.pages = [
        RepositoriesPage(names=(f"r{number}",), cursor="on", failures=() if number else failures)
        for number in range(ANSWERS_PER_MESSAGE)
    ]
    (continuation,) = [message for message in await listed(registry) if isinstance(message, ScanRequested)]
    registry.pages = [RepositoriesPage(names=("z",))]
    end = pages(await listed(registry, continuation.received_at(OFFSET + 1)))[-1]
    assert (end.last, end.complete) == (True, False)


async def test_a_list_that_cannot_be_cut_is_told_to_its_end_with_signs_of_life() -> None:
    registry = registry_of()
    registry.pages = [RepositoriesPage() for _ in range(3 * ANSWERS_PER_MESSAGE)]
    messages = await listed(registry)
    assert [page.last for page in pages(messages)] == [False] * (3 * ANSWERS_PER_MESSAGE) + [True]
    assert not any(isinstance(message, ScanRequested) for message in messages)


async def test_tags_of_a_listing_that_are_out_of_scope_are_named_beside_the_others() -> None:
    registry = registry_of()
    registry.pages = [RepositoriesPage(listings=(listing("a", "1", "2-rc", "3"),))]
    (page,) = [m for m in await listed(registry, exclude_tags=("*-rc",)) if isinstance(m, TagsFound)]
    assert [tag.name for tag in page.tags] == ["1", "3"]
    assert page.out_of_scope == ("2-rc",)
