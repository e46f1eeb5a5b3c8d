"""Names: usable as they are, or an error that says which is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.messages.model import Name
from shared.registry.errors import BadName
from shared.registry.names import check_names, repository_path, tag_path

_NAME: TypeAdapter[str] = TypeAdapter(Name)


@pytest.mark.parametrize("name", ["", "a//b", "/a", "a/", ".", "a/../b", "a\nb", "a\x7f", "caf\udce9", "x" * 1025])
def test_an_unusable_name_is_an_error(name: str) -> None:
    with pytest.raises(BadName) as caught:
        check_names("r.example.com", ["fine", name])
    assert caught.value.reason == "name_unusable"
    assert str(caught.value).isprintable()


def test_bytes_that_are_not_utf8_are_named_by_their_code() -> None:
    with pytest.raises(BadName, match=r"caf.*xe9|caf.*udce9"):
        check_names("r.example.com", [b"caf\xe9".decode("utf-8", "surrogateescape")])


@pytest.mark.parametrize("name", ["a", "a/b/c/d/e/f", "x__y", "a-b.c", "Ünïcode", "a..b", "v1.0+x", "sha256-00.sig"])
def test_an_odd_but_usable_name_is_kept(name: str) -> None:
    assert check_names("r.example.com", [name]) == (name,)


@given(st.text())
def test_every_name_that_passes_fits_into_a_message(name: str) -> None:
    try:
        check_names("r.example.com", [name])
    except BadName:
        return
    assert _NAME.validate_python(name) == name


def test_names_are_quoted_into_paths() -> None:
    assert repository_path("a b/c?d#e%f") == "a%20b/c%3Fd%23e%25f"
    assert tag_path("a/b:c") == "a%2Fb:c"
