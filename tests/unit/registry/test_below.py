"""An address below a registry's base: the same as one that is parsed anew."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.registry.answer import below
from shared.registry.names import repository_path, tag_path

BASES = ("http://127.0.0.1:5000/v2/", "https://registry.example.com/artifactory/api/docker/a%20b/v2/")
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@given(st.sampled_from(BASES), NAMES, NAMES)
def test_it_is_what_parsing_gives(base: str, repository: str, tag: str) -> None:
    path = f"{repository_path(repository)}/manifests/{tag_path(tag)}"
    address = below(httpx.URL(base), path)
    parsed = httpx.URL(f"{base}{path}")
    assert (address, address.raw_path, address.host, address.port) == (
        parsed,
        parsed.raw_path,
        parsed.host,
        parsed.port,
    )


@pytest.mark.parametrize("path", ["a/../b", "./a", "a/manifests/.."])
def test_dots_are_what_they_are_for_everybody(path: str) -> None:
    assert below(httpx.URL(BASES[0]), path) == httpx.URL(f"{BASES[0]}{path}")


def test_the_base_stays_as_it_is() -> None:
    base = httpx.URL(BASES[0])
    below(base, "_catalog")
    assert base == httpx.URL(BASES[0])
