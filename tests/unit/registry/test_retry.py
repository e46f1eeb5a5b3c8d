"""When a request is tried again, and after how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.registry.retry import RetryPolicy, is_transient, retry_after_seconds

POLICY = RetryPolicy(attempts=4)


def test_pauses_double_and_are_spread() -> None:
    assert [POLICY.pause(attempt, None, 1.0) for attempt in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert POLICY.pause(1, None, 0.0) == 0.25


def test_the_attempts_come_to_an_end() -> None:
    assert POLICY.pause(4, None, 0.5) is None
    assert POLICY.pause(4, 1.0, 0.5) is None


def test_the_pause_has_an_upper_bound() -> None:
    assert RetryPolicy(attempts=2000).pause(1000, None, 1.0) == 20.0


def test_what_the_registry_asks_for_is_waited_at_least() -> None:
    pause = POLICY.pause(1, 30.0, 0.0)
    assert pause is not None
    assert pause >= 30.0


def test_a_registry_that_asks_for_too_long_is_not_waited_for() -> None:
    assert POLICY.pause(1, 120.0, 0.5) is not None
    assert POLICY.pause(1, 121.0, 0.5) is None


@pytest.mark.parametrize(("status", "transient"), [(200, False), (401, False), (403, False), (404, False)])
def test_what_will_not_change_is_not_tried_again(status: int, transient: bool) -> None:
    assert is_transient(status, b"") is transient


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_what_says_later_is_tried_again(status: int) -> None:
    assert is_transient(status, b"")


def test_a_locked_account_and_a_missing_feature_are_not_tried_again() -> None:
    assert not is_transient(429, b"429 Too many Authentication Attempts")
    assert not is_transient(501, b"")


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "9" * 400}, 2.0**31),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:09 GMT", "date": DATE}, 9.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:09 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:09 GMT", "date": "yesterday"}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


@given(st.text(), st.text())
def test_any_header_is_read_without_an_error(retry_after: str, date: str) -> None:
    seconds = retry_after_seconds({"retry-after": retry_after, "date": date})
    assert seconds is None or seconds >= 0
