"""The staged check against registries well and unwell: each stage's result, and what it costs the registry."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from shared.registry.budget import WindowBudget
from shared.registry.checkup.course import checked
from shared.registry.checkup.requests import MOST_REQUESTS
from shared.registry.checkup.result import CheckStage, Outcome, StageChecked
from shared.registry.grant import FixedGrant
from tests.fakes.hostile_registry import HostileRegistry, Reply, reply_challenge, reply_json
from tests.fakes.product.registry_v2 import V2_KINDS
from tests.integration.registry.conftest import connection_to
from tests.integration.registry.test_tls import registry_with
from tests.support.certificates import make_authority, make_server_certificate
from tests.support.generator import generate
from tests.support.product_loading import servers
from tests.support.registry import Registry

Stages = dict[CheckStage, StageChecked]
OK, WARNING, FAILED, SKIPPED = Outcome.OK, Outcome.WARNING, Outcome.FAILED, Outcome.SKIPPED


def now() -> datetime:
    return datetime.now(UTC)


async def checkup(host: str, password: str | None = None, clock: Callable[[], datetime] = now, **fields: Any) -> Stages:
    connection = connection_to(host, **fields)
    secret = SecretStr(password) if password else None
    return {one.stage: one async for one in checked(connection, secret, WindowBudget(FixedGrant(1000)), clock)}


def outcomes(stages: Stages) -> dict[CheckStage, Outcome]:
    return {stage: one.outcome for stage, one in stages.items()}


async def test_a_registry_in_order_passes_every_stage(open_registry: Registry) -> None:
    stages = await checkup(open_registry.url)
    assert list(stages) == list(CheckStage)
    found = outcomes(stages)
    assert found[CheckStage.ADDRESS] is found[CheckStage.CHALLENGE] is found[CheckStage.CLOCK] is OK
    assert (found[CheckStage.TLS], found[CheckStage.SIGN_IN]) == (SKIPPED, SKIPPED)


@pytest.mark.parametrize("product", sorted(servers()))
async def test_each_product_passes_with_few_requests_and_one_pull_at_most(product: str) -> None:
    async with AsyncExitStack() as stack:
        estate = generate(seed=3, repositories=9, tags=90, kinds=V2_KINDS)
        server = await stack.enter_async_context(servers()[product](estate))
        fields = {**server.connection, "username": server.username}
        stages = await checkup(server.url, server.password, **fields)
        assert FAILED not in outcomes(stages).values(), stages
        asked = server.desk.counts().total()
        assert asked <= MOST_REQUESTS
        if stages[CheckStage.MANIFEST].outcome is OK:
            assert stages[CheckStage.MANIFEST].facts[0][1].startswith("sha256:")
        else:
            assert "has no tags" in stages[CheckStage.TAGS].told
        assert stages[CheckStage.PRODUCT].outcome in (OK, WARNING)
        assert len(server.pulls) <= 1


@pytest.mark.parametrize("product", ["v2", "harbor", "nexus"])
async def test_a_wrong_password_is_shown_once_and_named_where_it_fails(product: str) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(servers()[product](generate(seed=3, repositories=3, tags=9)))
        fields = {**server.connection, "username": server.username}
        stages = await checkup(server.url, "not the password", **fields)
        assert outcomes(stages)[CheckStage.SIGN_IN] is FAILED
        assert "rejected the user name or password" in stages[CheckStage.SIGN_IN].told
        assert outcomes(stages)[CheckStage.CATALOG] is SKIPPED
        assert stages[CheckStage.CATALOG].told == "Not tried: nobody is signed in."
        assert sum(1 for asked in server.desk.asked if asked.signed) == 1


@dataclass(frozen=True)
class TlsCase:
    until: datetime | None
    trusted: bool
    skip: bool
    outcome: Outcome
    told: str


TLS = {
    "trusted": TlsCase(None, True, False, OK, "The certificate is trusted."),
    "unknown CA": TlsCase(None, False, False, FAILED, "signed by a CA that is not known here"),
    "expired": TlsCase(datetime(2021, 1, 1, tzinfo=UTC), True, False, FAILED, "its certificate has expired"),
    "expires soon": TlsCase(now() + timedelta(days=5), True, False, WARNING, "expires in 4 days"),
    "skipped": TlsCase(None, False, True, WARNING, "Accepted all the same, as this connection skips verification"),
}


@pytest.mark.parametrize("case", TLS)
async def test_certificates_are_shown_and_told_apart(tmp_path: Path, case: str) -> None:
    wanted = TLS[case]
    authority = make_authority(tmp_path / "ca")
    more = {"until": wanted.until} if wanted.until else {}
    certificate = make_server_certificate(tmp_path, authority, **more)
    async with registry_with(certificate) as registry:
        registry.scripts["/v2/_catalog"] = Reply(403)
        ca = authority.certificate_file.read_text() if wanted.trusted else None
        stages = await checkup(registry.url, ca=ca, skip_tls_verification=wanted.skip)
    tls = stages[CheckStage.TLS]
    assert (tls.outcome, wanted.told in tls.told) == (wanted.outcome, True), tls
    assert {"Subject", "Issuer", "Valid until", "SHA-256"} <= dict(tls.facts).keys()
    if wanted.outcome is FAILED:
        assert outcomes(stages)[CheckStage.CHALLENGE] is SKIPPED
        assert not registry.seen, "something was asked of a host that is not trusted"


async def test_a_self_signed_certificate_is_called_so(tmp_path: Path) -> None:
    async with registry_with(make_authority(tmp_path)) as registry:
        stages = await checkup(registry.url)
    assert "is self-signed" in stages[CheckStage.TLS].told
    assert dict(stages[CheckStage.TLS].facts)["Issuer"] == "itself (self-signed)"


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("http://127.0.0.1:9", "Nothing accepts connections at 127.0.0.1:9"),
        ("http://no-such-host.invalid", "cannot be resolved"),
    ],
)
async def test_a_host_that_cannot_be_reached_fails_the_first_stage_and_skips_the_rest(host: str, told: str) -> None:
    stages = await checkup(host)
    assert told in stages[CheckStage.ADDRESS].told
    assert set(outcomes(stages).values()) == {FAILED, SKIPPED}


async def test_a_web_page_is_no_registry(hostile: HostileRegistry) -> None:
    hostile.scripts["/v2/"] = Reply(body=b"<html>Welcome</html>", headers=(("Content-Type", "text/html"),))
    stages = await checkup(hostile.url)
    assert outcomes(stages)[CheckStage.CHALLENGE] is FAILED
    assert "not as a registry does" in stages[CheckStage.CHALLENGE].told


async def test_a_catalog_that_may_not_be_listed_is_a_warning_with_the_way_out(hostile: HostileRegistry) -> None:
    hostile.scripts["/v2/"] = reply_json({})
    hostile.scripts["/v2/_catalog"] = Reply(403)
    stages = await checkup(hostile.url)
    assert outcomes(stages)[CheckStage.CATALOG] is WARNING
    assert "name the repositories in the connection" in stages[CheckStage.CATALOG].told


async def test_named_repositories_need_no_catalog(hostile: HostileRegistry) -> None:
    hostile.scripts["/v2/"] = reply_json({})
    hostile.scripts["/v2/team/app/tags/list"] = reply_json({"name": "team/app", "tags": ["1.0"]})
    hostile.scripts["/v2/team/app/manifests/1.0"] = Reply(404)
    stages = await checkup(hostile.url, repositories=("team/app",))
    assert outcomes(stages)[CheckStage.CATALOG] is outcomes(stages)[CheckStage.TAGS] is OK
    assert not [seen for seen in hostile.seen if seen.path == "/v2/_catalog"]


async def test_a_password_is_not_shown_to_a_token_service_elsewhere_without_tls(hostile: HostileRegistry) -> None:
    hostile.scripts["/v2/"] = reply_challenge('Bearer realm="http://elsewhere.invalid/token",service="x"')
    stages = await checkup(hostile.url, "secret", username="me", auth_type="bearer")
    assert outcomes(stages)[CheckStage.SIGN_IN] is FAILED
    assert "over http, where anybody can read a password" in stages[CheckStage.SIGN_IN].told
    assert all(seen.authorization is None for seen in hostile.seen)


async def test_clocks_that_disagree_are_a_warning(open_registry: Registry) -> None:
    stages = await checkup(open_registry.url, clock=lambda: now() - timedelta(minutes=10))
    assert outcomes(stages)[CheckStage.CLOCK] is WARNING
    assert "s ahead of this machine's" in stages[CheckStage.CLOCK].told


async def test_a_wrong_product_is_named_with_the_right_one() -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(servers()["harbor"](generate(seed=3, repositories=3, tags=9)))
        stages = await checkup(server.url, server.password, type="v2", auth_type="bearer", username=server.username)
    assert outcomes(stages)[CheckStage.PRODUCT] is WARNING
    assert "choose harbor" in stages[CheckStage.PRODUCT].told
