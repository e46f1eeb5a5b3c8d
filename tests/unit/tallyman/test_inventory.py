"""The statements behind the commands that show rows."""

import pytest

from tallyman.inventory import VIEWS, quoted, statement


def test_a_view_is_selected_whole_and_ordered_when_nothing_is_asked() -> None:
    assert statement("current_images", order=("registry", "digest")) == (
        "SELECT * FROM current_images ORDER BY registry, digest"
    )


def test_filters_are_joined() -> None:
    told = statement("current_images", registry="r", repository="team/*", architecture="arm64", order=("digest",))
    assert "WHERE registry = 'r' AND repository LIKE 'team/%' AND architecture = 'arm64' ORDER BY" in told


def test_the_architecture_of_a_tag_is_that_of_any_of_its_platforms() -> None:
    told = statement(VIEWS["tags"], architecture="arm64", order=("tag",))
    assert "arrayExists(p -> p.architecture = 'arm64', platforms)" in told


@pytest.mark.parametrize(
    ("glob", "pattern"),
    [
        ("*", "'%'"),
        ("a?c", "'a_c'"),
        ("x__y", r"'x\\_\\_y'"),
        ("100%", r"'100\\%'"),
        ("a'b", r"'a\'b'"),
        ("a\\b", r"'a\\\\b'"),
    ],
)
def test_a_glob_has_two_wildcards_and_all_else_stands_for_itself(glob: str, pattern: str) -> None:
    assert f"repository LIKE {pattern} ORDER" in statement("current_tags", repository=glob, order=("tag",))


@pytest.mark.parametrize("text", ["'; DROP TABLE images; --", "\\", "\\'", "o'brien"])
def test_a_quoted_text_cannot_end_its_literal(text: str) -> None:
    inside = quoted(text)[1:-1]
    assert inside.replace("\\\\", "").replace("\\'", "").count("'") == 0
    assert inside.replace("\\\\", "\0").replace("\\'", "'").replace("\0", "\\") == text
