"""The product is found out by its signs, as a guest and once."""

import pytest

from shared.errors import PermanentError
from shared.messages.connection_fields import BEARER_ONLY, RegistryType
from shared.registry.errors import RegistryUnreachable
from shared.registry.plan import Size
from tests.fakes.product.registry_v2 import V2_KINDS
from tests.fakes.v2.server import v2_server
from tests.integration.products.opening import names_of, open_dialect_of
from tests.support.generator import Estate, generate
from tests.support.product_loading import servers

SIZE = Size(repositories=5, tags=60)


@pytest.fixture
def estate() -> Estate:
    return generate(seed=5, repositories=5, tags=60, kinds=V2_KINDS)


@pytest.mark.parametrize("name", sorted(servers().keys() - {"gitflic"}))
async def test_each_product_is_recognised_by_a_guest_and_read_like_its_own_type(estate: Estate, name: str) -> None:
    async with (
        servers()[name](estate) as server,
        open_dialect_of(server) as own,
        open_dialect_of(server, type="auto") as auto,
    ):
        found = await auto.found()  # type: ignore[attr-defined]
        assert found.product == server.connection["type"]
        assert not any(asked.signed for asked in server.desk.asked)
        plan = await auto.plan(SIZE)
        assert (plan.product, plan.why) == ((await own.plan(SIZE)).product, found.why)
        assert await names_of(auto) == await names_of(own)


async def test_it_is_found_out_once(estate: Estate) -> None:
    async with v2_server(estate) as server, open_dialect_of(server, type="auto") as auto:
        await names_of(auto)
        asked = len(server.desk.asked)
        await auto.found()  # type: ignore[attr-defined]
        assert len(server.desk.asked) == asked


async def test_a_registry_that_cannot_be_reached_is_asked_again_next_time(estate: Estate) -> None:
    async with v2_server(estate) as server, open_dialect_of(server, type="auto") as auto:
        server.desk.limited = 0
        async with open_dialect_of(server, type="auto", host="http://127.0.0.1:9") as nowhere:
            for _ in range(2):
                with pytest.raises(RegistryUnreachable):
                    await names_of(nowhere)
        assert await names_of(auto)


async def test_a_product_that_takes_tokens_only_is_told_so_by_its_name(estate: Estate) -> None:
    bearer_only = [server for name, server in servers().items() if name in {each.value for each in BEARER_ONLY}]
    assert RegistryType.GITLAB in BEARER_ONLY
    for opens in bearer_only:
        async with opens(estate) as server, open_dialect_of(server, type="auto", auth_type="basic") as auto:
            with pytest.raises(PermanentError, match="choose bearer"):
                await names_of(auto)
