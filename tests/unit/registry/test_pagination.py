"""Links, cursors and ends of listings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PermanentError
from shared.registry.errors import AnswerUnusable, CursorLost, CursorStuck
from shared.registry.pagination import Cursor, names_after, next_cursor, next_link

HOST = "registry.example.com"


@pytest.mark.parametrize(
    ("headers", "link"),
    [
        ([], None),
        ([""], None),
        (['</v2/_catalog?last=a%2Fb&n=3>; rel="next"'], ("last", "a/b")),
        (["</v2/_catalog?n=3&last=a/b>;rel=next"], ("last", "a/b")),
        (['<https://internal:5000/v2/_catalog?last=x>; rel="next"'], ("last", "x")),
        (['<?last=x>; title="a, b"; REL="Prefetch Next"'], ("last", "x")),
        (['</a>; rel="previous", </b?last=y>; rel="next"'], ("last", "y")),
        (['</a>; rel="previous"', '</b?last=y>; rel="next"'], ("last", "y")),
        (['</v2/x/tags/list?n=5&next_page=gAAA%3D>; rel="next"'], ("next_page", "gAAA=")),
        (['</v2/_catalog?last=3&last=4>; rel="next"'], ("last", "3")),
        (['</a>; rel="previous"'], None),
        (['</a>; title="x", </b?last=y>; rel="next"'], ("last", "y")),
        (['</a>; rel="", </b?last=y>; rel="next"'], ("last", "y")),
    ],
)
def test_the_cursor_is_taken_from_the_link(headers: list[str], link: tuple[str, str] | None) -> None:
    assert next_link(headers, HOST) == link


@pytest.mark.parametrize(
    "header",
    [
        *("next", "/v2/_catalog?last=a", "</v2/_catalog>; rel=next", "<?last=>; rel=next"),
        "<?last=&last=4>; rel=next",  # the first counts, and it is empty
        "<http://[?last=4>; rel=next",  # no address at all
    ],
)
def test_a_link_that_cannot_be_read_is_an_error_not_the_end(header: str) -> None:
    with pytest.raises(PermanentError) as caught:
        next_link([header], HOST)
    assert caught.value.reason == "link_unreadable"
    assert str(caught.value) == (
        "registry.example.com gives a link to the next page that cannot be read. "
        "Have the registry, or the proxy before it, looked at."
    )


@given(st.lists(st.text(max_size=200), max_size=3))
def test_any_header_is_a_link_none_or_a_sentence(headers: list[str]) -> None:
    try:
        link = next_link(headers, HOST)
    except AnswerUnusable:
        return
    assert link is None or all(link)


def following(current: Cursor | None, link: tuple[str, str] | None, *names: str) -> Cursor | None:
    return next_cursor(current, link, names, HOST, most_pages=5)


def test_no_link_is_the_end() -> None:
    assert following(None, None, "a") is None


def test_a_cursor_remembers_the_entry_before_its_own() -> None:
    first = following(None, ("last", "b"), "a", "b")
    assert first == Cursor("last", "b", before="a", page=1, by_name=True)
    second = following(first, ("last", "c"), "c")
    assert second == Cursor("last", "c", before="b", page=2, by_name=True)


def test_a_page_of_one_entry_at_the_start_has_nothing_before_it() -> None:
    only = following(None, ("last", "a"), "a")
    assert only is not None
    assert (only.by_name, only.earlier_start) == (True, None)


@pytest.mark.parametrize("link", [("last", "100"), ("next_page", "b")])
def test_a_cursor_that_is_not_the_last_entrys_name_is_not_looked_for_among_names(link: tuple[str, str]) -> None:
    cursor = following(None, link, "a", "b")
    assert cursor is not None
    assert not cursor.by_name


def test_after_a_cursor_that_is_no_name_only_a_page_of_two_or_more_can_be_looked_back_from() -> None:
    """The page is asked for again from the entry before the last: on a page of one that is the cursor, no entry."""
    no_name = following(None, ("last", "100"), "a", "b")
    one, two = following(no_name, ("last", "c"), "c"), following(no_name, ("last", "d"), "c", "d")
    assert one == Cursor("last", "c", before="100", page=2, by_name=False)
    assert two == Cursor("last", "d", before="c", page=2, by_name=True)


def test_a_cursor_that_does_not_advance_is_an_error() -> None:
    first = following(None, ("last", "b"), "a", "b")
    with pytest.raises(CursorStuck) as caught:
        following(first, ("last", "b"), "c")
    assert caught.value.reason == "cursor_stuck"
    assert str(caught.value) == (
        "registry.example.com gives the same page's link again and again. "
        "Raise the page size, or have the registry looked at."
    )


def test_pages_come_to_an_end() -> None:
    cursor = None
    for number in range(4):
        cursor = following(cursor, ("last", str(number)), str(number))
    with pytest.raises(CursorStuck) as caught:
        following(cursor, ("last", "4"), "4")
    assert caught.value.reason == "pages_endless"
    assert str(caught.value) == (
        "registry.example.com still has a next page after 5 pages. Raise the connection's page size, or "
        "TALLYMAN_LISTING_PAGES if the registry really is that large."
    )


def test_what_follows_the_cursors_entry_is_kept() -> None:
    cursor = Cursor("last", "b", before="a", page=1, by_name=True)
    assert names_after(cursor, ("b",), HOST) == ()
    assert names_after(cursor, ("b", "c"), HOST) == ("c",)


def test_a_page_without_the_cursors_entry_is_a_lost_cursor() -> None:
    with pytest.raises(CursorLost) as caught:
        names_after(Cursor("last", "b", before="a", page=1, by_name=True), ("c", "d"), HOST)
    assert caught.value.reason == "cursor_lost"
    assert str(caught.value) == (
        "registry.example.com lost the place in a listing: the entry to go on from was deleted meanwhile. Load again."
    )


@given(
    st.builds(
        Cursor,
        parameter=st.sampled_from(("last", "next_page")),
        value=st.text(),
        before=st.none() | st.text(),
        page=st.integers(0, 10_000),
        by_name=st.booleans(),
    )
)
def test_a_cursor_survives_being_text(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


def test_a_cursor_is_written_without_spaces() -> None:
    assert str(Cursor("last", "b", before=None, page=1, by_name=True)) == '["last","b",null,1,true]'


@given(st.text() | st.sampled_from(('["last","a",null,"1",true]', '["n","a",null,1,true]', "[1,2,3,4,5]", "[[]]", "1")))
def test_text_that_is_no_cursor_of_ours_is_a_sentence(text: str) -> None:
    with pytest.raises(PermanentError) as caught:
        Cursor.parse(text)
    assert caught.value.reason == "cursor_invalid"
    assert str(caught.value) == "A page's cursor is not one of ours. Load again."
