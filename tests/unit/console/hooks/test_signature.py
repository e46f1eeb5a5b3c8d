"""A hook shows its secret, or is signed with it, in one of the ways that registries have."""

import base64
import hashlib
import hmac

import pytest

from services.console.hooks.signature import is_signed

SECRET = "s3cret of a hook"
BODY = b'{"a":1}'
SHA1 = hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()
SHA256 = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
BASIC = base64.b64encode(f"hook:{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": f"Bearer {SECRET}"}, {}),
        ({"authorization": SECRET}, {}),
        ({"authorization": f"Basic {BASIC}"}, {}),
        ({"x-jfrog-event-auth": SECRET}, {}),
        ({"x-nexus-webhook-signature": SHA1}, {}),
        ({"x-nexus-webhook-signature": SHA1.upper()}, {}),
        ({"x-hub-signature-256": f"sha256={SHA256}"}, {}),
        ({}, {"secret": SECRET}),
    ],
)
def test_whoever_knows_the_secret_is_believed(headers: dict[str, str], query: dict[str, str]) -> None:
    assert is_signed(SECRET, headers, query, BODY)
    wrong_headers = {name: value[:-1] + ("0" if value[-1] != "0" else "1") for name, value in headers.items()}
    wrong_query = {name: value + "x" for name, value in query.items()}
    assert not is_signed(SECRET, wrong_headers, wrong_query, BODY)


def test_a_signature_is_of_this_body_alone() -> None:
    assert not is_signed(SECRET, {"x-nexus-webhook-signature": SHA1}, {}, BODY + b" ")
    assert not is_signed(SECRET, {"x-hub-signature-256": f"sha256={SHA256}"}, {}, BODY + b" ")


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": ""}, {"authorization": "Basic !!"}, {"authorization": "Basic /w=="}]
)
def test_whoever_shows_nothing_is_not(headers: dict[str, str]) -> None:
    assert not is_signed(SECRET, headers, {}, BODY)
