"""The quota headers of several products and drafts."""

import pytest

from shared.registry.rate_limits import Quota, told_quota

DATE = "Sat, 28 Nov 2026 10:00:00 GMT"
AT = 1795860000


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        ({"ratelimit-limit": "600", "ratelimit-remaining": "12", "ratelimit-reset": "30"}, Quota(12, 30, 600)),
        ({"ratelimit-limit": "600, 600;w=60", "ratelimit-remaining": "12", "ratelimit-reset": "9"}, Quota(12, 9, 600)),
        ({"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}, Quota(76, 21600, 100)),
        ({"ratelimit": '"default";r=50;t=30'}, Quota(50, 30, None)),
        ({"ratelimit": '"default";q=100;r=50;t=30, "day";r=9;t=9'}, Quota(50, 30, 100)),
        (
            {"ratelimit-remaining": "0", "ratelimit-reset": str(AT + 45), "ratelimit-limit": "60", "date": DATE},
            Quota(0, 45, 60),
        ),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(AT + 5), "date": DATE}, Quota(3, 5, None)),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(AT - 5), "date": DATE}, Quota(3, 0, None)),
    ],
)
def test_what_is_told_is_understood(headers: dict[str, str], quota: Quota) -> None:
    assert told_quota(headers) == quota


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ratelimit-remaining": "many", "ratelimit-reset": "30"},
        {"ratelimit-remaining": "-1", "ratelimit-reset": "30"},
        {"ratelimit-remaining": "1"},
        {"ratelimit-remaining": "9" * 40, "ratelimit-reset": "1"},
        {"ratelimit-remaining": "1", "ratelimit-reset": str(AT + 5)},  # a time, and none to compare it with
        {"ratelimit": "garbage"},
        {"ratelimit": '"default";t=30'},
        {"ratelimit": '"default";r=99999999999999999999;t=30'},
    ],
)
def test_what_cannot_be_read_says_nothing(headers: dict[str, str]) -> None:
    assert told_quota(headers) is None
