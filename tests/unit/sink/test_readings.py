"""Which message completes a reading: one of a chain without gaps, fixed by the log."""

from hypothesis import given
from hypothesis import strategies as st

from services.sink.readings import completed_by
from shared.store.rows import ListingPageRow
from tests.unit.sink.samples import BEGINNING, REGISTRY, REPOSITORY


def page(leg: str, number: int, offset: int, *, last: bool = False, follows: str = "") -> ListingPageRow:
    return ListingPageRow(
        registry=REGISTRY,
        repository=REPOSITORY,
        scan=1,
        reading="r",
        leg=leg,
        follows=follows,
        page=number,
        last=last,
        offset=offset,
        body="",
        inserted_at=BEGINNING,
    )


def chain(pages: list[ListingPageRow], offset: int) -> list[int] | None:
    """The offsets of the chain that the message at `offset` completes."""
    found = completed_by(pages, offset)
    return None if found is None else [row.offset for row in found]


def completing(pages: list[ListingPageRow]) -> list[int]:
    return [row.offset for row in pages if completed_by(pages, row.offset)]


def test_the_last_page_completes_a_reading_that_came_in_order() -> None:
    pages = [page("a", 0, 10), page("a", 1, 11), page("a", 2, 12, last=True)]
    assert chain(pages, 12) == [10, 11, 12]
    assert completing(pages) == [12]


def test_a_page_that_comes_late_completes_it() -> None:
    pages = [page("a", 0, 10), page("a", 2, 11, last=True), page("a", 1, 12)]
    assert chain(pages, 12) == [10, 12, 11]
    assert completing(pages) == [12]


def test_a_reading_with_a_gap_is_not_whole() -> None:
    assert completing([page("a", 0, 10), page("a", 2, 12, last=True)]) == []


def test_a_reading_without_its_last_page_is_not_whole() -> None:
    assert completing([page("a", 0, 10), page("a", 1, 11)]) == []


def test_a_continuation_follows_the_leg_it_names() -> None:
    pages = [
        page("a", 0, 10),
        page("a", 1, 11),
        page("b", 2, 12, follows="a"),
        page("b", 3, 13, last=True, follows="a"),
    ]
    assert chain(pages, 13) == [10, 11, 12, 13]


def test_two_workings_of_one_continuation_do_not_mix() -> None:
    pages = [
        page("a", 0, 10),
        page("b", 1, 11, follows="a"),  # crashed here
        page("c", 1, 12, follows="a"),
        page("c", 2, 13, follows="a", last=True),
    ]
    assert chain(pages, 13) == [10, 12, 13]
    assert completing(pages) == [13]


def test_a_leg_that_follows_nobody_known_is_not_whole() -> None:
    assert completing([page("a", 0, 10), page("c", 1, 12, follows="b", last=True)]) == []


def test_a_message_sees_no_page_that_lies_after_it() -> None:
    pages = [page("a", 0, 10), page("a", 1, 11, last=True)]
    assert chain(pages, 10) is None


@given(legs=st.lists(st.integers(1, 4), min_size=1, max_size=4), data=st.data())
def test_in_whatever_order_pages_come_the_last_to_come_completes_the_reading(
    legs: list[int], data: st.DataObject
) -> None:
    count = sum(legs)
    offsets = data.draw(st.permutations(range(count)))
    leg_of = [leg for leg, pages in enumerate(legs) for _ in range(pages)]
    pages = [
        page(str(leg), number, offsets[number], last=number == count - 1, follows=str(leg - 1) if leg else "")
        for number, leg in enumerate(leg_of)
    ]
    assert completing(sorted(pages, key=lambda row: row.offset)) == [count - 1]
    assert chain(pages, count - 1) == list(offsets)
