"""No request goes to a metadata service: not by an address, not by a name that leads there, not by a redirect."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.registry.resolver import AddressRefused, CheckedResolver, check_host
from tests.fakes.hostile_registry import HostileRegistry, Reply
from tests.integration.registry.conftest import MakeClient

METADATA = "169.254.169.254"


class Leads(AbstractResolver):
    """A name server that somebody else writes: every name leads to one address."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = {"hostname": host, "host": self.address, "port": port, "family": family, "proto": 0, "flags": 0}
        return [ResolveResult(**found)]  # type: ignore[typeddict-item]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("address", [METADATA, "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254"])
async def test_a_name_that_leads_there_is_refused_when_it_is_resolved(address: str) -> None:
    with pytest.raises(AddressRefused, match=r"registry\.example\.com is not asked"):
        await CheckedResolver(Leads(address)).resolve("registry.example.com", 443)


async def test_any_other_address_is_resolved_as_the_system_does() -> None:
    (found,) = await CheckedResolver(Leads("10.0.0.7")).resolve("registry.example.com", 443)
    assert found["host"] == "10.0.0.7"


def test_an_address_itself_is_refused() -> None:
    with pytest.raises(AddressRefused):
        check_host(METADATA)


async def test_a_redirect_there_is_not_followed(hostile: HostileRegistry, make_client: MakeClient) -> None:
    hostile.scripts["/v2/a/tags/list"] = Reply(302, headers=(("Location", f"http://{METADATA}/latest/meta-data/"),))
    with pytest.raises(AddressRefused):
        await make_client(hostile.url).tags("a")
