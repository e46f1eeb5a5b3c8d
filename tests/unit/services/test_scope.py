"""What a connection's filters leave in: patterns of names, then the newest tags."""

from datetime import UTC, datetime

import pytest

from services.scope import is_repository_in_scope, is_tag_in_scope, scoped, scoped_whole
from shared.messages.tags_found import FoundTag
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
        (("re:team/[a-c]+",), (), "team/abc", True),
        (("re:team/[a-c]+",), (), "team/abcd", False),
        (("re:team/[a-c]+",), (), "my/team/abc", False),
        (("team/*",), ("re:.*-(dev|test)",), "team/a-dev", False),
    ],
)
def test_patterns_and_expressions_let_names_through(
    include: tuple[str, ...], exclude: tuple[str, ...], repository: str, selected: bool
) -> None:
    assert is_repository_in_scope(connection(include=include, exclude=exclude), repository) is selected
    assert is_tag_in_scope(connection(include_tags=include, exclude_tags=exclude), repository) is selected


@pytest.mark.parametrize("pattern", ["re:(", "re:a{1001}", "re:(?=a)b", ""])
def test_an_expression_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"regular expression|at least 1 character"):
        connection(exclude_tags=(pattern,))


def test_no_name_makes_an_expression_run_for_ever() -> None:
    assert not is_tag_in_scope(connection(include_tags=("re:(a+)+b",)), "a" * 1000)


def dated(**days: int | None) -> list[FoundTag]:
    return [
        FoundTag(name=name, created=datetime(2026, 1, day, tzinfo=UTC) if day else None) for name, day in days.items()
    ]


def test_out_of_scope_tags_are_named_and_the_others_keep_their_order() -> None:
    within = scoped(connection(exclude_tags=("b*",)), dated(c=None, b1=1, a=2, b2=None))
    assert [tag.name for tag in within.tags] == ["c", "a"]
    assert within.out == ("b1", "b2")


@pytest.mark.parametrize(
    ("most", "kept"),
    [(1, ["new"]), (2, ["new", "mid"]), (3, ["new", "old", "mid"]), (4, ["a", "new", "old", "mid"]), (9, None)],
)
def test_the_newest_tags_are_kept_and_those_without_a_date_are_the_oldest(most: int, kept: list[str] | None) -> None:
    tags = dated(z=None, a=None, new=9, old=1, mid=5)
    within = scoped_whole(connection(newest_tags=most), tags)
    assert [tag.name for tag in within.tags] == (kept or [tag.name for tag in tags])
    assert {*within.out, *(tag.name for tag in within.tags)} == {tag.name for tag in tags}


def test_of_tags_of_one_date_the_first_by_name_are_kept() -> None:
    within = scoped_whole(connection(newest_tags=2), dated(c=1, a=1, b=1))
    assert [tag.name for tag in within.tags] == ["a", "b"]


def test_the_newest_are_chosen_among_what_the_patterns_let_through() -> None:
    within = scoped_whole(connection(newest_tags=1, exclude_tags=("nightly",)), dated(nightly=9, release=5, old=1))
    assert [tag.name for tag in within.tags] == ["release"]


def test_where_the_product_tells_no_dates_there_are_no_newest() -> None:
    assert scoped_whole(connection(newest_tags=1), dated(a=None, b=None)).out == ()
