"""What the driver's errors mean to us."""

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from shared.store.errors import StoreError, StoreUnavailable, innermost, translated


def wrapped(cause: Exception) -> OperationalError:
    error = OperationalError(
        "Error HTTPConnectionPool(host='h', port=1): executing HTTP request attempt 1 (http://h:1)"
    )
    error.__cause__ = cause
    return error


def test_a_store_that_does_not_answer_is_waited_for() -> None:
    told = translated(wrapped(ConnectionRefusedError(111, "Connection refused")), "The store at h:1")
    assert isinstance(told, StoreUnavailable)
    assert told.waits
    assert str(told) == (
        "The store at h:1 does not answer ([Errno 111] Connection refused). Check that it runs and can be reached."
    )


@pytest.mark.parametrize("code", [81, 159, 202, 241, 243, 252, 516])
def test_what_can_pass_or_be_put_right_is_waited_for(code: int) -> None:
    told = translated(DatabaseError("Code: …", code=code), "The store")
    assert isinstance(told, StoreUnavailable)
    assert told.code == code


def test_a_refused_statement_says_why_without_the_wrapping() -> None:
    text = "Code: 60. DB::Exception: Unknown table x. (UNKNOWN_TABLE) (version 26.5.1.1 (official build))"
    told = translated(DatabaseError(text, code=60), "The store")
    assert isinstance(told, StoreError)
    assert told.code == 60
    assert str(told) == "The store refused a statement: Unknown table x. (UNKNOWN_TABLE)"


def test_a_long_text_is_cut() -> None:
    assert len(str(translated(DatabaseError("x" * 5000, code=1), "The store"))) < 400


def test_an_error_that_tells_nothing_is_named() -> None:
    assert "(ClickHouseError)" in str(translated(ClickHouseError(), "The store"))


def test_the_first_cause_is_found_through_wrappers_and_reasons() -> None:
    root = ValueError("root")
    middle = RuntimeError("middle")
    middle.reason = RuntimeError(root)  # type: ignore[attr-defined]
    assert innermost(wrapped(middle)) is root
