"""The tagger's handler: what a repository's tags become."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.access import REASON_DELETED, REASON_INACTIVE
from services.readings import NAMES_OUT_PER_PAGE, TAGS_PER_PAGE
from services.tagger.stage import ANSWERS_PER_MESSAGE, PAGES_PER_MESSAGE, tagger_stage
from shared.errors import PermanentError, TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.model import Message, ScanContext, ScanKind
from shared.messages.repository_found import RepositoryFound
from shared.messages.scan_progressed import ScanProgressed, UnitOutcome, UnitReported
from shared.messages.tags_found import TagsFound
from shared.pipeline.stage import Stage
from shared.registry.dialect import TagsPage
from tests.fakes.registry_access import (
    CONTEXT,
    UNREADABLE,
    FakeRegistry,
    access,
    connection,
    repository_gone,
    tags_of,
    told,
    unavailable,
)

FOUND = RepositoryFound(context=CONTEXT, repository="r")
OF_ONE_REPOSITORY = CONTEXT.model_copy(update={"kind": ScanKind.REPOSITORY})


class Tagger:
    """The stage over one registry; its ids are `id0`, `id1`, …"""

    def __init__(self, registry: FakeRegistry, to: Connection | None = None, **settings: Any) -> None:
        numbers = count()
        self.stage: Stage[RepositoryFound] = tagger_stage(
            access(registry, to or connection(**settings)), lambda: f"id{next(numbers)}"
        )

    async def told(self, found: RepositoryFound = FOUND) -> list[Message]:
        return await told(self.stage.handle(found))

    async def pages(self, found: RepositoryFound = FOUND) -> list[TagsFound]:
        return pages_of(await self.told(found))


def pages_of(messages: list[Message]) -> list[TagsFound]:
    return [message for message in messages if isinstance(message, TagsFound)]


def names_of(pages: list[TagsFound]) -> list[str]:
    return [tag.name for page in pages for tag in page.tags]


def registry_of(*tags: str, page_size: int = 1000, **fields: Any) -> FakeRegistry:
    return FakeRegistry({"r": dict.fromkeys(tags, b"{}")}, page_size=page_size, **fields)


async def test_a_short_list_is_one_page_which_is_the_last() -> None:
    (page,) = await Tagger(registry_of("a", "b")).pages()
    assert names_of([page]) == ["a", "b"]
    assert page.complete
    assert page.requests == 1
    assert page.reading.model_dump() == {"id": "id0", "leg": "id0", "follows": None, "page": 0, "last": True}


async def test_an_answer_with_all_tags_at_once_is_cut_into_pages() -> None:
    names = [f"{number:03}" for number in range(2 * TAGS_PER_PAGE)]
    pages = await Tagger(registry_of(*names)).pages()
    assert [(len(page.tags), page.reading.page, page.reading.last, page.requests) for page in pages] == [
        (TAGS_PER_PAGE, 0, False, 1),
        (TAGS_PER_PAGE, 1, True, 0),
    ]


async def test_a_long_list_goes_on_in_a_continuation_whose_pages_follow_the_leg_before() -> None:
    names = [f"{number:03}" for number in range(ANSWERS_PER_MESSAGE + 1)]
    tagger = Tagger(registry_of(*names, page_size=1))
    first = await tagger.told()
    assert not any(page.reading.last for page in pages_of(first))
    continuation = first[-1]
    assert isinstance(continuation, RepositoryFound)
    second = await tagger.pages(continuation)
    again = await tagger.pages(continuation)
    assert names_of(pages_of(first)) + names_of(second) == names
    assert [page.reading.page for page in second] == [ANSWERS_PER_MESSAGE]
    assert {page.reading.id for page in pages_of(first) + second + again} == {"id0"}
    assert {page.reading.follows for page in second + again} == {"id0"}
    assert (second[0].reading.leg, again[0].reading.leg) == ("id1", "id2")  # each working is a leg of its own
    assert second[-1].reading.last


async def test_pages_of_a_message_are_bounded_however_many_each_answer_gives() -> None:
    names = [f"{number:05}" for number in range(TAGS_PER_PAGE * (PAGES_PER_MESSAGE + 5))]
    messages = await Tagger(registry_of(*names, page_size=TAGS_PER_PAGE * 5)).told()
    assert len(pages_of(messages)) == PAGES_PER_MESSAGE
    assert isinstance(messages[-1], RepositoryFound)


async def test_working_a_message_again_is_another_reading() -> None:
    tagger = Tagger(registry_of("a"))
    assert [(await tagger.pages())[0].reading.id for _ in range(2)] == ["id0", "id1"]


async def test_of_a_tag_that_is_given_twice_the_first_counts() -> None:
    class Repeating(FakeRegistry):
        def _page(self, names: list[str], cursor: str | None) -> Any:
            page = super()._page(names, cursor)
            return type(page)((names[0], *page.names, names[0]), page.cursor)

    pages = await Tagger(Repeating({"r": dict(tags_of("abc"))}, page_size=1)).pages()
    assert names_of(pages) == ["a", "b", "c"]


async def test_a_list_that_breaks_off_closes_the_reading_incomplete_and_keeps_what_it_has() -> None:
    registry = registry_of("a", "b", page_size=1, troubles={"tags r": [None, unavailable()]})
    pages = await Tagger(registry).pages()
    assert names_of(pages) == ["a"]
    end = pages[-1]
    assert (end.reading.page, end.reading.last, end.complete, end.requests) == (1, True, False, 1)
    assert [(why.what, why.reason, why.detail) for why in end.failures] == [
        ("r", "registry_unavailable", "registry.test answered 503 each time.")
    ]
    assert len({page.reading.leg for page in pages}) == 1


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([None, None], id="empty twice"),
        pytest.param([repository_gone(), repository_gone()], id="gone twice"),
        pytest.param([None, repository_gone()], id="empty, then gone"),
    ],
)
async def test_a_repository_of_the_catalog_without_tags_is_believed_when_it_is_told_twice(
    answers: list[TallymanError | None],
) -> None:
    registry = registry_of(troubles={"tags r": answers})
    (page,) = await Tagger(registry).pages()
    assert registry.asked == ["tags r", "tags r"]
    assert (page.tags, page.complete, page.failures, page.reading.last, page.requests) == ((), True, (), True, 2)


async def test_an_empty_list_that_is_not_empty_the_second_time_is_not_believed() -> None:
    pages = await Tagger(registry_of("a", troubles={"tags r": [repository_gone()]})).pages()
    assert names_of(pages) == ["a"]
    assert pages[0].complete


async def test_an_empty_list_that_cannot_be_asked_for_again_proves_nothing() -> None:
    registry = registry_of(troubles={"tags r": [None, unavailable()]})
    (page,) = await Tagger(registry).pages()
    assert (page.complete, page.reading.last, page.failures[0].reason) == (False, True, "registry_unavailable")


@pytest.mark.parametrize(
    ("context", "settings"),
    [(OF_ONE_REPOSITORY, {}), (CONTEXT, {"repositories": ("r",)})],
    ids=["one-repository scan", "list of the connection"],
)
async def test_a_name_that_a_person_gave_and_the_registry_does_not_know_is_a_failure(
    context: ScanContext, settings: dict[str, Any]
) -> None:
    registry = registry_of("a", troubles={"tags r": [repository_gone()]})
    (page,) = await Tagger(registry, **settings).pages(FOUND.model_copy(update={"context": context}))
    assert (page.complete, page.failures[0].reason) == (False, "repository_gone")


async def test_a_repository_that_goes_in_the_middle_of_its_list_is_a_failure() -> None:
    registry = registry_of("a", "b", page_size=1, troubles={"tags r": [None, repository_gone()]})
    pages = await Tagger(registry).pages()
    assert [page.complete for page in pages] == [True, False]


async def test_a_one_tag_scan_asks_nothing_and_sends_its_tag_on() -> None:
    registry = registry_of("a")
    (page,) = await Tagger(registry).pages(FOUND.model_copy(update={"tag": "x"}))
    assert registry.asked == []
    assert names_of([page]) == ["x"]
    assert (page.reading.page, page.reading.last, page.complete) == (0, True, True)


@pytest.mark.parametrize("reason", [REASON_DELETED, REASON_INACTIVE])
async def test_a_deleted_or_inactive_registry_is_not_asked_and_the_repository_is_skipped(reason: str) -> None:
    registry = registry_of("a")
    to = None if reason == REASON_DELETED else connection(is_active=False)
    messages = await told(tagger_stage(access(registry, to), lambda: "id").handle(FOUND))
    assert registry.asked == []
    (message,) = messages
    assert isinstance(message, ScanProgressed)
    assert isinstance(message.progress, UnitReported)
    assert (message.progress.repository, message.progress.outcome) == ("r", UnitOutcome.SKIPPED)
    assert message.progress.failures[0].reason == reason


async def test_an_unreadable_password_closes_the_reading_and_sends_nothing() -> None:
    registry = registry_of("a")
    (page,) = await Tagger(registry, password=UNREADABLE).pages()
    assert registry.asked == []
    assert (page.complete, page.reading.last, page.failures[0].reason) == (False, True, "secret_unreadable")


async def test_a_message_that_is_given_up_closes_its_reading_where_it_stood() -> None:
    names = [f"{number:03}" for number in range(ANSWERS_PER_MESSAGE + 1)]
    tagger = Tagger(registry_of(*names, page_size=1))
    continuation = (await tagger.told())[-1]
    assert isinstance(continuation, RepositoryFound)
    error = PermanentError("No.", reason="no")
    for found, follows, page in ((FOUND, None, 0), (continuation, "id0", ANSWERS_PER_MESSAGE)):
        (end,) = pages_of(list(tagger.stage.give_up(found, error)))
        assert (end.reading.follows, end.reading.page, end.reading.last) == (follows, page, True)
        assert (end.tags, end.complete, end.failures[0].reason) == ((), False, "no")


def test_bytes_that_are_no_message_fail_the_repository_they_show() -> None:
    unreadable = Tagger(registry_of()).stage.unreadable
    error = PermanentError("No.", reason="no")
    (message,) = unreadable(CONTEXT, "r", error)
    assert isinstance(message, ScanProgressed)
    assert isinstance(message.progress, UnitReported)
    assert (message.progress.repository, message.progress.outcome) == ("r", UnitOutcome.FAILED)
    assert list(unreadable(CONTEXT, None, error)) == []


@given(
    tags=st.sets(st.text("abc019._-", min_size=1, max_size=6), max_size=300),
    page_size=st.integers(1, 150),
    fails_at=st.none() | st.integers(0, 30),
)
async def test_whatever_the_registry_holds_the_pages_are_its_tags_and_exactly_one_is_last(
    tags: set[str], page_size: int, fails_at: int | None
) -> None:
    troubles = {"tags r": [None] * fails_at + [unavailable()]} if fails_at is not None else {}
    tagger = Tagger(registry_of(*tags, page_size=page_size, troubles=troubles))
    pages: list[TagsFound] = []
    found: RepositoryFound | None = FOUND
    while found:
        messages = await tagger.told(found)
        pages += pages_of(messages)
        found = messages[-1] if isinstance(messages[-1], RepositoryFound) else None
    assert [page.reading.page for page in pages] == list(range(len(pages)))
    assert [page.reading.last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert all(len(page.tags) <= TAGS_PER_PAGE for page in pages)
    legs = list(dict.fromkeys((page.reading.leg, page.reading.follows) for page in pages))
    assert [follows for _, follows in legs] == [None, *(leg for leg, _ in legs[:-1])]
    if all(page.complete for page in pages):
        assert names_of(pages) == sorted(tags)
    else:
        assert names_of(pages) == sorted(tags)[: len(names_of(pages))]
        assert pages[-1].failures


async def test_tags_out_of_scope_are_named_and_not_sent_on() -> None:
    (page,) = await Tagger(registry_of("1", "2-rc", "3"), exclude_tags=("*-rc",)).pages()
    assert names_of([page]) == ["1", "3"]
    assert page.out_of_scope == ("2-rc",)


async def test_a_list_that_is_all_out_of_scope_is_one_empty_page() -> None:
    (page,) = await Tagger(registry_of("1", "2"), include_tags=("x",)).pages()
    assert (page.tags, page.out_of_scope, page.reading.last) == ((), ("1", "2"), True)


async def test_more_names_out_of_scope_than_a_page_holds_make_more_pages() -> None:
    names = [f"{number:04}" for number in range(NAMES_OUT_PER_PAGE + 1)]
    pages = await Tagger(registry_of(*names, page_size=5000), exclude_tags=("*",)).pages()
    assert [len(page.out_of_scope) for page in pages] == [NAMES_OUT_PER_PAGE, 1]
    assert [page.reading.last for page in pages] == [False, True]


async def test_a_single_tag_out_of_scope_is_not_asked_for() -> None:
    found = FOUND.model_copy(update={"tag": "2-rc"})
    (page,) = await Tagger(registry_of("2-rc"), exclude_tags=("*-rc",)).pages(found)
    assert (page.tags, page.out_of_scope) == ((), ("2-rc",))


class Dated(FakeRegistry):
    """Tells dates: the later by name, the newer."""

    async def tags(self, repository: str, cursor: str | None = None) -> TagsPage:
        page = await super().tags(repository, cursor)
        dated = tuple(
            tag.model_copy(update={"created": datetime(2026, 1, int(tag.name), tzinfo=UTC)}) for tag in page.tags
        )
        return TagsPage(dated, page.cursor)


async def test_the_newest_tags_are_chosen_once_the_whole_list_is_there() -> None:
    days = [f"{day:02}" for day in range(1, 31)]
    registry = Dated({"r": dict.fromkeys(days, b"{}")}, page_size=1)
    messages = await Tagger(registry, newest_tags=2).told()
    (page,) = pages_of(messages)
    assert messages == [page]  # no continuation: what is newest shows at the end alone
    assert names_of([page]) == ["29", "30"]
    assert len(page.out_of_scope) == 28


async def test_a_list_that_breaks_off_has_no_newest_tags() -> None:
    registry = Dated({"r": dict.fromkeys(["01", "02"], b"{}")}, page_size=1)
    registry.troubles["tags r"] = [None, unavailable()]
    (page,) = await Tagger(registry, newest_tags=1).pages()
    assert (page.tags, page.complete, page.reading.last) == ((), False, True)
