"""No request goes to a metadata service: not by an address, not by a name that leads there, not by a redirect."""

import socket

import pytest

from shared.registry.resolver import AddressRefused, AddrInfo, LooksUp, check_host, resolve
from tests.fakes.hostile_registry import HostileRegistry, Reply
from tests.integration.registry.conftest import MakeClient

METADATA = "169.254.169.254"


def leads(address: str) -> LooksUp:
    """Return a name server that somebody else writes: every name leads to one address."""

    async def look_up(_: str, port: int) -> list[AddrInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))]

    return look_up


@pytest.mark.parametrize("address", [METADATA, "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254"])
async def test_a_name_that_leads_there_is_refused_when_it_is_resolved(address: str) -> None:
    with pytest.raises(AddressRefused, match=r"registry\.example\.com is not asked"):
        await resolve("registry.example.com", 443, leads(address))


async def test_any_other_address_is_resolved_as_the_system_does() -> None:
    ((*_, address),) = await resolve("registry.example.com", 443, leads("10.0.0.7"))
    assert address == ("10.0.0.7", 443)


def test_an_address_itself_is_refused() -> None:
    with pytest.raises(AddressRefused):
        check_host(METADATA)


async def test_a_redirect_there_is_not_followed(hostile: HostileRegistry, make_client: MakeClient) -> None:
    hostile.scripts["/v2/a/tags/list"] = Reply(302, headers=(("Location", f"http://{METADATA}/latest/meta-data/"),))
    with pytest.raises(AddressRefused):
        await make_client(hostile.url).tags("a")
