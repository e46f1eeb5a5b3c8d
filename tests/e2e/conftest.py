"""One service for all tests that only ask it: starting broker and store takes seconds."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytest.register_assert_rewrite("tests.e2e.agreement", "tests.e2e.tallyman_commands")

from tests.e2e.tallyman_commands import Tallyman  # noqa: E402  # after what rewrites its asserts


@pytest_asyncio.fixture(scope="session")
async def tallyman(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tallyman]:
    """The command line on a data folder that a running service has, shared by the session: load hosts of your own."""
    patience = {"TALLYMAN_ATTEMPTS": "2", "TALLYMAN_LISTING_PAGES": "50"}  # so that bad registries are soon given up
    commands = Tallyman(tmp_path_factory.mktemp("service") / "data", patience)
    async with commands.serving():
        yield commands
