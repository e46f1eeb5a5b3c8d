"""Every setting of a connection that concerns the wire, from the connection to what the other side's socket sees."""

import asyncio
import socket
import ssl
import tomllib
from pathlib import Path

import pytest

from shared.messages.connection_changed import Connection
from shared.registry.client import RegistryClient
from shared.registry.errors import CertificateRefused, RegistryUnreachable
from shared.registry.product_api import ProductApi
from tests.fakes.hostile_registry import HostileRegistry, Reply, hostile_registry, reply_challenge, reply_json
from tests.integration.registry import test_budget
from tests.integration.registry.conftest import MakeClient
from tests.support.certificates import make_authority, make_server_certificate

TAGS = "/v2/a/tags/list"
SOON = 4.0
"""Seconds that two tries of a fifth of one take at most; any default would take longer."""
BIG_BODY = b"x" * (64 * 1024 * 1024)
"""More than the sockets of both sides hold."""

NOT_OF_THE_WIRE = {
    *("version", "registry", "revision", "slot", "shards", "scan_base", "cancelled", "name", "type", "is_active"),
    *("load_full_images_list", "load_interval_seconds"),
    *("include", "exclude", "include_tags", "exclude_tags", "newest_tags", "repositories"),
    *("first_load_triggers", "first_load_newest"),
    *("host", "auth_type", "username", "password"),  # tests/integration/registry/test_sign_in.py is about these
}


def test_each_setting_of_the_wire_has_its_test_here() -> None:
    assert set(TESTS) == Connection.model_fields.keys() - NOT_OF_THE_WIRE


async def all_at_once(client: RegistryClient, requests: int) -> None:
    await asyncio.gather(*(client.tags("a") for _ in range(requests)))


def slow(hostile: HostileRegistry, seconds: float) -> None:
    hostile.scripts[TAGS] = (
        reply_json({"tags": []}) if not seconds else Reply(body=b'{"tags":[]}', wait_seconds=seconds)
    )


async def test_max_connections(hostile: HostileRegistry, make_client: MakeClient) -> None:
    slow(hostile, 0.02)
    await all_at_once(make_client(hostile.url, max_connections=3), 30)
    assert hostile.most_connections == 3


async def test_max_keepalive_connections(hostile: HostileRegistry, make_client: MakeClient) -> None:
    slow(hostile, 0.02)
    await all_at_once(make_client(hostile.url, max_connections=8, max_keepalive_connections=2), 16)
    await asyncio.sleep(0.1)
    assert hostile.connections == 2


async def test_keepalive_expiry(hostile: HostileRegistry, make_client: MakeClient) -> None:
    slow(hostile, 0)
    client = make_client(hostile.url, keepalive_expiry_seconds=0.4)
    await client.tags("a")
    await asyncio.sleep(0.1)
    assert hostile.connections == 1
    await hostile.all_closed()


async def test_connect_timeout(make_client: MakeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = make_client(f"https://127.0.0.1:{silent.getsockname()[1]}", connect_timeout_seconds=0.2)
        async with asyncio.timeout(SOON):
            with pytest.raises(RegistryUnreachable, match="within the connect timeout"):
                await client.tags("a")


async def test_pool_timeout(hostile: HostileRegistry, make_client: MakeClient) -> None:
    slow(hostile, 1.5)
    client = make_client(hostile.url, max_connections=1, pool_timeout_seconds=0.2)
    first = asyncio.create_task(client.tags("a"))
    await asyncio.sleep(0.1)
    with pytest.raises(RegistryUnreachable, match="within the pool timeout"):
        await client.tags("a")
    assert (await first).names == ()


async def test_read_timeout(hostile: HostileRegistry, make_client: MakeClient) -> None:
    slow(hostile, 30)
    with pytest.raises(RegistryUnreachable, match="within the read timeout"):
        await make_client(hostile.url, read_timeout_seconds=0.2).tags("a")


async def test_write_timeout(make_client: MakeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = make_client(f"http://127.0.0.1:{deaf.getsockname()[1]}", write_timeout_seconds=0.2)
        api = ProductApi(client._session, client._session.connection.host)
        async with asyncio.timeout(SOON):
            with pytest.raises(RegistryUnreachable, match="within the write timeout"):
                await api.post("/", "x", BIG_BODY, "text/plain")


async def test_page_size(hostile: HostileRegistry, make_client: MakeClient) -> None:
    slow(hostile, 0)
    hostile.scripts["/v2/_catalog"] = reply_json({"repositories": []})
    client = make_client(hostile.url, page_size=37)
    await client.tags("a")
    await client.catalog()
    assert [seen.query["n"] for seen in hostile.seen] == [["37"], ["37"]]


@pytest.mark.parametrize("trusted", ["nothing", "its ca", "anything"])
async def test_certificates(make_client: MakeClient, tmp_path: Path, trusted: str) -> None:
    """skip_tls_verification and ca."""
    authority = make_authority(tmp_path / "ca")
    certificate = make_server_certificate(tmp_path, authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    settings = {
        "nothing": {},
        "its ca": {"ca": authority.certificate_file.read_text()},
        "anything": {"skip_tls_verification": True},
    }
    async with hostile_registry(context) as hostile:
        slow(hostile, 0)
        client = make_client(hostile.url, **settings[trusted])
        if trusted == "nothing":
            with pytest.raises(CertificateRefused):
                await client.tags("a")
            assert hostile.seen == []
        else:
            assert (await client.tags("a")).names == ()


async def test_the_user_agent_names_tallyman_and_its_version_to_everybody(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    challenge = f'Bearer realm="{hostile.url}/token",service="s"'
    hostile.scripts[TAGS] = [reply_challenge(challenge), reply_json({"tags": []})]
    hostile.scripts["/token"] = reply_json({"token": "t"})
    hostile.scripts["/api"] = reply_json([])
    client = make_client(hostile.url)
    await client.tags("a")
    await ProductApi(client._session, hostile.url).get("/api", "x")
    version = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["version"]
    assert [seen.path for seen in hostile.seen] == [TAGS, "/token", TAGS, "/api"]
    assert {seen.headers["user-agent"] for seen in hostile.seen} == {f"tallyman/{version}"}


TESTS = {
    "max_connections": test_max_connections,
    "max_keepalive_connections": test_max_keepalive_connections,
    "keepalive_expiry_seconds": test_keepalive_expiry,
    "connect_timeout_seconds": test_connect_timeout,
    "pool_timeout_seconds": test_pool_timeout,
    "read_timeout_seconds": test_read_timeout,
    "write_timeout_seconds": test_write_timeout,
    "page_size": test_page_size,
    "max_rps": test_budget.test_no_second_has_more_requests_than_max_rps_and_nine_tenths_are_used,
    "skip_tls_verification": test_certificates,
    "ca": test_certificates,
}
"""Setting -> the test that fails where it is ignored."""
