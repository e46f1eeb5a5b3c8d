"""Signing in: credentials are shown where they belong, once, and never again after a rejection."""

import asyncio
from collections.abc import Callable

import pytest

from shared.errors import PermanentError, TallymanError
from shared.registry.errors import (
    CatalogForbidden,
    Forbidden,
    RegistryUnreachable,
    SignInRejected,
    TokenServiceRefused,
)
from tests.fakes.hostile_registry import HostileRegistry, Reply, Seen, hostile_registry, reply_challenge, reply_json
from tests.integration.registry.conftest import MakeClient

TAGS = "/v2/a/tags/list"
ONE_TAG = reply_json({"tags": ["1"]})
BASIC = 'Basic realm="r"'


def bearer(url: str, scope: str = "repository:a:pull", more: str = "") -> str:
    return f'Bearer realm="{url}/token",service="reg",scope="{scope}"{more}'


def wants_basic(seen: Seen) -> Reply:
    return ONE_TAG if seen.basic == "me:right" else reply_challenge(BASIC)


def wants_token(url: str, *tokens: str) -> Callable[[Seen], Reply]:
    accepted = {f"Bearer {token}" for token in tokens}
    return lambda seen: ONE_TAG if seen.authorization in accepted else reply_challenge(bearer(url))


async def test_basic_credentials_are_shown_from_the_first_request_on(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = wants_basic
    client = make_client(hostile.url, "right", username="me")
    assert (await client.tags("a")).names == ("1",)
    assert len(hostile.seen) == 1


async def test_a_rejected_password_is_shown_once_however_many_ask(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = wants_basic
    client = make_client(hostile.url, "wrong", username="me")
    results = await asyncio.gather(*(client.tags("a") for _ in range(20)), return_exceptions=True)
    assert all(isinstance(result, SignInRejected) for result in results)
    with pytest.raises(SignInRejected):
        await client.tags("a")
    assert len(hostile.seen) == 1


async def test_a_changed_connection_signs_in_again(hostile: HostileRegistry, make_client: MakeClient) -> None:
    hostile.scripts[TAGS] = wants_basic
    with pytest.raises(SignInRejected):
        await make_client(hostile.url, "wrong", username="me").tags("a")
    assert (await make_client(hostile.url, "right", username="me").tags("a")).names == ("1",)


async def test_a_token_service_that_rejects_the_password_is_asked_once_however_many_ask(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    for number in range(10):
        hostile.scripts[f"/v2/r{number}/tags/list"] = reply_challenge(bearer(hostile.url, f"repository:r{number}:pull"))
    hostile.scripts["/token"] = Reply(401)
    client = make_client(hostile.url, "wrong", username="me", auth_type="bearer")
    results = await asyncio.gather(*(client.tags(f"r{number}") for number in range(10)), return_exceptions=True)
    assert all(isinstance(result, SignInRejected) for result in results)
    assert len(hostile.requests("/token")) == 1


async def test_a_locked_account_is_not_asked_again(hostile: HostileRegistry, make_client: MakeClient) -> None:
    hostile.scripts[TAGS] = Reply(429, b"Too many authentication attempts", (("Retry-After", "30"),))
    client = make_client(hostile.url, "right", username="me")
    for _ in range(2):
        with pytest.raises(SignInRejected) as caught:
            await client.tags("a")
        assert caught.value.reason == "sign_in_locked"
    assert len(hostile.seen) == 1


async def test_who_waits_behind_a_first_sign_in_that_finds_nobody_fails_with_it(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = Reply(raw=b"")
    client = make_client(hostile.url, "right", username="me")
    results = await asyncio.gather(*(client.tags("a") for _ in range(10)), return_exceptions=True)
    assert all(isinstance(result, RegistryUnreachable) for result in results)
    assert len(hostile.seen) == 2
    hostile.scripts[TAGS] = wants_basic
    assert (await client.tags("a")).names == ("1",)


async def test_bearer_asks_the_token_service_with_realm_service_scope_and_user(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = wants_token(hostile.url, "t1")
    hostile.scripts["/token"] = reply_json({"token": "t1", "expires_in": 300})
    client = make_client(hostile.url, "right", username="me", auth_type="bearer")
    for _ in range(3):
        assert (await client.tags("a")).names == ("1",)
    (asked,) = hostile.requests("/token")
    assert asked.query == {"service": ["reg"], "scope": ["repository:a:pull"], "account": ["me"]}
    assert asked.basic == "me:right"
    assert [seen.basic for seen in hostile.requests(TAGS)] == [None] * 4


async def test_once_challenged_the_next_repository_needs_no_challenge(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = hostile.scripts["/v2/b/c/tags/list"] = wants_token(hostile.url, "t1")
    hostile.scripts["/token"] = reply_json({"access_token": "t1", "token": ""})
    client = make_client(hostile.url, "right", username="me", auth_type="bearer")
    await client.tags("a")
    await client.tags("b/c")
    assert len(hostile.requests("/v2/b/c/tags/list")) == 1
    assert hostile.requests("/token")[1].query["scope"] == ["repository:b/c:pull"]


async def test_a_guest_gets_a_guests_token(hostile: HostileRegistry, make_client: MakeClient) -> None:
    hostile.scripts[TAGS] = wants_token(hostile.url, "t1")
    hostile.scripts["/token"] = reply_json({"token": "t1"})
    assert (await make_client(hostile.url).tags("a")).names == ("1",)
    (asked,) = hostile.requests("/token")
    assert (asked.authorization, asked.query.get("account")) == (None, None)


async def test_a_token_is_fetched_once_for_all_who_wait_for_it(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = wants_token(hostile.url, "t1")
    hostile.scripts["/token"] = Reply(body=b'{"token":"t1"}', wait_seconds=0.2)
    client = make_client(hostile.url, "right", username="me", auth_type="bearer")
    await asyncio.gather(*(client.tags("a") for _ in range(10)))
    assert len(hostile.requests("/token")) == 1


async def test_a_token_the_registry_no_longer_takes_is_refreshed_once_for_all(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = wants_token(hostile.url, "t1")
    hostile.scripts["/token"] = [reply_json({"token": "t1"}), reply_json({"token": "t2"})]
    client = make_client(hostile.url, "right", username="me", auth_type="bearer")
    await client.tags("a")
    hostile.scripts[TAGS] = wants_token(hostile.url, "t2")
    await asyncio.gather(*(client.tags("a") for _ in range(10)))
    assert len(hostile.requests("/token")) == 2


async def test_a_token_is_refreshed_before_it_expires(hostile: HostileRegistry, make_client: MakeClient) -> None:
    hostile.scripts[TAGS] = wants_token(hostile.url, "t1")
    hostile.scripts["/token"] = reply_json({"token": "t1", "expires_in": 1})
    client = make_client(hostile.url, "right", username="me", auth_type="bearer")
    await client.tags("a")
    await asyncio.sleep(0.95)
    await client.tags("a")
    assert len(hostile.requests("/token")) == 2


async def test_an_authentication_is_tried_again_once_and_no_more(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = reply_challenge(bearer(hostile.url))
    hostile.scripts["/token"] = reply_json({"token": "t1"})
    client = make_client(hostile.url, "right", username="me", auth_type="bearer")
    with pytest.raises(TallymanError) as caught:
        await client.tags("a")
    assert type(caught.value) is Forbidden
    assert len(hostile.seen) == 3


async def test_missing_rights_need_no_second_token(hostile: HostileRegistry, make_client: MakeClient) -> None:
    scope, poor = "registry:catalog:*", ',error="insufficient_scope"'
    hostile.scripts["/v2/_catalog"] = reply_challenge(bearer(hostile.url, scope, poor))
    hostile.scripts["/token"] = reply_json({"token": "t1"})
    client = make_client(hostile.url, "right", username="me", auth_type="bearer")
    for _ in range(2):
        with pytest.raises(CatalogForbidden):
            await client.catalog()
    assert len(hostile.requests("/token")) == 1


async def test_a_basic_connection_does_the_token_flow_where_only_that_is_offered(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = wants_token(hostile.url, "t1")
    hostile.scripts["/token"] = reply_json({"token": "t1"})
    client = make_client(hostile.url, "right", username="me")
    assert (await client.tags("a")).names == ("1",)
    assert hostile.requests("/token")[0].basic == "me:right"


async def test_harbors_catalog_wants_basic_and_the_rest_tokens(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    names = reply_json({"repositories": ["a"]})
    hostile.scripts["/v2/_catalog"] = lambda seen: names if seen.basic == "me:right" else reply_challenge("", BASIC)
    hostile.scripts[TAGS] = wants_token(hostile.url, "t1")
    hostile.scripts["/token"] = reply_json({"token": "t1"})
    client = make_client(hostile.url, "right", username="me", auth_type="bearer")
    for _ in range(2):
        assert (await client.tags("a")).names == ("1",)
        assert (await client.catalog()).names == ("a",)
    assert len(hostile.seen) == 7


@pytest.mark.parametrize("auth", ["basic", "bearer"])
async def test_of_several_challenges_the_connections_kind_is_chosen(
    hostile: HostileRegistry, make_client: MakeClient, auth: str
) -> None:
    challenge = reply_challenge(f"Negotiate, {bearer(hostile.url)}", BASIC)
    hostile.scripts[TAGS] = lambda seen: ONE_TAG if seen.authorization else challenge
    hostile.scripts["/token"] = reply_json({"token": "t1"})
    await make_client(hostile.url, "right", username="me", auth_type=auth).tags("a")
    assert (hostile.requests(TAGS)[-1].basic is not None) == (auth == "basic")


async def test_a_realm_on_another_host_over_http_is_not_shown_the_password(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    async with hostile_registry() as other:
        realm = other.url.replace("127.0.0.1", "localhost")
        hostile.scripts[TAGS] = reply_challenge(f'Bearer realm="{realm}/token"')
        for auth in ("basic", "bearer"):
            with pytest.raises(TokenServiceRefused):
                await make_client(hostile.url, "right", username="me", auth_type=auth).tags("a")
        assert not other.seen


@pytest.mark.parametrize("realm", ["", "ftp://x/token", "http://me@127.0.0.1/token", "http://[::1/token", "//"])
async def test_a_realm_that_is_no_address_is_an_error(
    hostile: HostileRegistry, make_client: MakeClient, realm: str
) -> None:
    hostile.scripts[TAGS] = reply_challenge(f'Bearer realm="{realm}"')
    with pytest.raises(PermanentError):
        await make_client(hostile.url, "right", username="me", auth_type="bearer").tags("a")
    assert len(hostile.seen) == 1


async def test_a_token_service_that_redirects_is_not_followed(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    async with hostile_registry() as other:
        hostile.scripts[TAGS] = reply_challenge(bearer(hostile.url))
        hostile.scripts["/token"] = Reply(307, b"", (("Location", other.url + "/token"),))
        with pytest.raises(TokenServiceRefused):
            await make_client(hostile.url, "right", username="me", auth_type="bearer").tags("a")
        assert not other.seen


@pytest.mark.parametrize(
    "body", [b"{}", b'{"token":""}', b'{"token":7}', b'{"token":"a\\r\\nX: y"}', b"[]", b"<html>", b"{", b"null"]
)
async def test_an_unusable_token_is_an_error(hostile: HostileRegistry, make_client: MakeClient, body: bytes) -> None:
    hostile.scripts[TAGS] = reply_challenge(bearer(hostile.url))
    hostile.scripts["/token"] = Reply(body=body)
    with pytest.raises(PermanentError) as caught:
        await make_client(hostile.url, "right", username="me", auth_type="bearer").tags("a")
    assert "right" not in str(caught.value)


class TestRedirects:
    """Registries keep blobs elsewhere; credentials never go there."""

    async def test_another_host_is_followed_to_without_the_authorization(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        async with hostile_registry() as storage:
            hostile.scripts[TAGS] = Reply(307, b"", (("Location", storage.url + "/signed?key=a%2Fb%3D&x=1"),))
            storage.scripts["/signed"] = ONE_TAG
            client = make_client(hostile.url, "right", username="me")
            assert (await client.tags("a")).names == ("1",)
            (seen,) = storage.seen
            assert seen.authorization is None
            assert seen.query == {"key": ["a/b="], "x": ["1"]}

    async def test_a_redirect_back_does_not_bring_the_authorization_back(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        async with hostile_registry() as other:
            hostile.scripts[TAGS] = Reply(302, b"", (("Location", other.url + "/x"),))
            other.scripts["/x"] = Reply(302, b"", (("Location", hostile.url + "/open"),))
            hostile.scripts["/open"] = ONE_TAG
            await make_client(hostile.url, "right", username="me").tags("a")
            assert hostile.requests("/open")[0].authorization is None

    async def test_the_same_host_keeps_the_authorization(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        hostile.scripts[TAGS] = Reply(308, b"", (("Location", "/moved"),))
        hostile.scripts["/moved"] = wants_basic
        assert (await make_client(hostile.url, "right", username="me").tags("a")).names == ("1",)

    async def test_a_challenge_of_another_host_is_never_met(
        self, hostile: HostileRegistry, make_client: MakeClient
    ) -> None:
        async with hostile_registry() as other:
            hostile.scripts[TAGS] = Reply(307, b"", (("Location", other.url + "/x"),))
            other.scripts["/x"] = reply_challenge(BASIC, bearer(other.url))
            with pytest.raises(PermanentError) as caught:
                await make_client(hostile.url, "right", username="me").tags("a")
            assert caught.value.reason == "redirect_target_refused"
            assert len(other.seen) == 1

    @pytest.mark.parametrize("location", ["ftp://x/y", "", "http://a:b@127.0.0.1/x", "http://[::1/x"])
    async def test_a_redirect_to_no_address_is_an_error(
        self, hostile: HostileRegistry, make_client: MakeClient, location: str
    ) -> None:
        hostile.scripts[TAGS] = Reply(302, b"", (("Location", location),) if location else ())
        with pytest.raises(PermanentError) as caught:
            await make_client(hostile.url).tags("a")
        assert caught.value.reason == "redirect_refused"

    async def test_redirects_without_end_are_an_error(self, hostile: HostileRegistry, make_client: MakeClient) -> None:
        hostile.scripts[TAGS] = Reply(302, b"", (("Location", TAGS),))
        with pytest.raises(PermanentError) as caught:
            await make_client(hostile.url).tags("a")
        assert caught.value.reason == "redirect_refused"
        assert len(hostile.seen) == 6


async def test_a_refusal_without_a_word_of_why_is_of_the_one_thing_once_the_password_was_accepted(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = wants_basic
    hostile.scripts["/v2/hidden/tags/list"] = Reply(401)
    client = make_client(hostile.url, "right", username="me")
    await client.tags("a")
    with pytest.raises(Forbidden):
        await client.tags("hidden")
    assert (await client.tags("a")).names == ("1",)


async def test_a_refusal_without_a_word_of_why_is_a_rejection_before(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    hostile.scripts[TAGS] = Reply(401)
    client = make_client(hostile.url, "wrong", username="me")
    for _ in range(2):
        with pytest.raises(SignInRejected):
            await client.tags("a")
    assert len(hostile.seen) == 1


async def test_a_token_refused_without_a_word_of_why_is_fetched_once_more(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    accepted = {"Bearer old"}

    def answer(seen: Seen) -> Reply:
        if seen.authorization is None:
            return reply_challenge(bearer(hostile.url))
        return ONE_TAG if seen.authorization in accepted else Reply(401)

    hostile.scripts[TAGS] = answer
    hostile.scripts["/token"] = [reply_json({"token": "old"}), reply_json({"token": "new"})]
    client = make_client(hostile.url, "right", username="me", auth_type="bearer")
    await client.tags("a")
    accepted.add("Bearer new")
    accepted.remove("Bearer old")
    assert (await client.tags("a")).names == ("1",)
    assert len(hostile.requests("/token")) == 2
