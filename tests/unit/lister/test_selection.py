"""Which names a full scan reads."""

import pytest

from services.lister.selection import LISTED_NAMES, check_source, is_selected, listed_names
from shared.errors import PermanentError
from tests.fakes.registry_access import connection


@pytest.mark.parametrize(
    ("include", "exclude", "repository", "selected"),
    [
        ((), (), "any/name", True),
        (("team/*",), (), "team/a/deep/one", True),
        (("team/*",), (), "other/team/a", False),
        (("team/*", "x"), (), "x", True),
        ((), ("*/cache",), "team/a/cache", False),
        (("team/*",), ("team/secret*",), "team/secret-one", False),
        (("Team/*",), (), "team/a", False),
    ],
)
def test_patterns_let_repositories_through(
    include: tuple[str, ...], exclude: tuple[str, ...], repository: str, selected: bool
) -> None:
    assert is_selected(connection(include=include, exclude=exclude), repository) is selected


def test_a_list_of_ones_own_is_given_in_pages_and_none_is_left_out() -> None:
    names = [f"r{number}" for number in range(LISTED_NAMES * 2 + 1)]
    given: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page, cursor = listed_names(names, cursor)
        given += page
    assert given == names
    assert cursor is None


def test_a_list_that_fills_its_page_exactly_ends_there() -> None:
    assert listed_names([f"r{number}" for number in range(LISTED_NAMES)], None)[1] is None


def test_a_scan_does_not_go_on_from_one_source_in_the_other() -> None:
    check_source(connection(), None)
    check_source(connection(repositories=("a",)), "list:100")
    check_source(connection(), '["last","a",null,1,true]')
    with pytest.raises(PermanentError, match="load it again"):
        check_source(connection(), "list:100")
    with pytest.raises(PermanentError, match="load it again"):
        check_source(connection(repositories=("a",)), '["last","a",null,1,true]')
