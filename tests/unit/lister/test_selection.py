"""Which names a full scan reads."""

import pytest

from services.lister.selection import LISTED_NAMES, check_source, listed_names
from shared.errors import PermanentError
from tests.fakes.registry_access import connection


def test_a_list_of_ones_own_is_given_in_pages_and_none_is_left_out() -> None:
    names = [f"r{number}" for number in range(LISTED_NAMES * 2 + 1)]
    pages = list(listed_names(names, None))
    assert [len(page.names) for page in pages] == [LISTED_NAMES, LISTED_NAMES, 1]
    assert [name for page in pages for name in page.names] == names
    assert pages[-1].cursor is None
    assert list(listed_names(names, pages[0].cursor)) == pages[1:]


def test_a_list_that_fills_its_page_exactly_ends_there() -> None:
    (page,) = listed_names([f"r{number}" for number in range(LISTED_NAMES)], None)
    assert page.cursor is None


def test_a_scan_does_not_go_on_from_one_source_in_the_other() -> None:
    check_source(connection(), None)
    check_source(connection(repositories=("a",)), "list:100")
    check_source(connection(), '["last","a",null,1,true]')
    with pytest.raises(PermanentError, match="load it again"):
        check_source(connection(), "list:100")
    with pytest.raises(PermanentError, match="load it again"):
        check_source(connection(repositories=("a",)), '["last","a",null,1,true]')
