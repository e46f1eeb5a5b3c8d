"""Every status has a class and a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PermanentError, TransientError
from shared.registry.errors import CatalogForbidden, Forbidden, NotARegistry, SpentError, status_error


@given(st.integers(100, 999), st.booleans(), st.booleans())
def test_any_status_is_an_error_with_a_sentence_that_names_host_and_advice(
    status: int, catalog: bool, speaks: bool
) -> None:
    error = status_error("r.example.com", "the tags of a", status, catalog=catalog, speaks=speaks)
    assert isinstance(error, (PermanentError, TransientError))
    assert "r.example.com" in str(error)
    assert str(error).endswith(".")
    assert error.reason.isidentifier()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_the_client_tried_often_enough_is_marked_spent(status: int) -> None:
    error = status_error("r.example.com", "x", status)
    assert isinstance(error, SpentError)
    assert error.spent


def test_a_catalog_has_advice_of_its_own() -> None:
    for status in (401, 403):
        assert type(status_error("r", "the catalog", status, catalog=True)) is CatalogForbidden
        assert type(status_error("r", "x", status)) is Forbidden
    missing = status_error("r", "the catalog", 404, catalog=True)
    assert type(missing) is NotARegistry
    assert "Name the repositories" in str(missing)
