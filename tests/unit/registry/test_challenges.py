"""WWW-Authenticate, as careful and careless registries write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.registry.challenges import Challenge, parse_challenges

TOKEN = {"realm": "https://auth.example.com/token", "service": "registry", "scope": "repository:a/b:pull,push"}
BEARER = 'Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push"'


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], []),
        ([""], []),
        ([" , ,"], []),
        (["Basic"], [("basic", {})]),
        (['Basic realm="a \\"quoted\\" realm"'], [("basic", {"realm": 'a "quoted" realm'})]),
        ([BEARER], [("bearer", TOKEN)]),
        (["bearer realm=https://zot.example.com/auth?x=1,service=zot"],
         [("bearer", {"realm": "https://zot.example.com/auth?x=1", "service": "zot"})]),
        (["", 'Basic realm="harbor"', BEARER], [("basic", {"realm": "harbor"}), ("bearer", TOKEN)]),
        ([f'Negotiate, {BEARER}, Basic realm="x", charset="UTF-8"'],
         [("negotiate", {}), ("bearer", TOKEN), ("basic", {"realm": "x", "charset": "UTF-8"})]),
        (['Bearer realm = "r" , error = "insufficient_scope"'],
         [("bearer", {"realm": "r", "error": "insufficient_scope"})]),
        (['Bearer realm="first",realm="second"'], [("bearer", {"realm": "first"})]),
        (['Bearer realm="unclosed'], [("bearer", {"realm": "unclosed"})]),
    ],
)  # fmt: skip
def test_challenges_are_read(headers: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(headers) == tuple(Challenge(scheme, parameters) for scheme, parameters in expected)


@given(st.lists(st.text(max_size=200), max_size=3))
def test_any_headers_are_read_one_by_one(headers: list[str]) -> None:
    each = [parse_challenges([header]) for header in headers]
    assert parse_challenges(headers) == tuple(challenge for found in each for challenge in found)


@given(st.text(alphabet='a=," \\', max_size=2000))
def test_hostile_punctuation_is_read_without_an_error(header: str) -> None:
    challenges = parse_challenges([header])
    assert [challenge.scheme for challenge in challenges if challenge.scheme.strip("a")] == []  # its one letter
