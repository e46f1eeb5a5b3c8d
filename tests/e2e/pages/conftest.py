"""A browser, a service of this folder's own, and real registries to connect."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.pages.browser import Visit, chromium, visit
from tests.e2e.tallyman_commands import ADMIN_PASSWORD, Service, Tallyman
from tests.support.generator import Estate, generate
from tests.support.generator_storage import Storage
from tests.support.registry import Registry, running_registry


@pytest_asyncio.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def estate() -> Estate:
    return generate(seed=11, repositories=20, tags=300)


@pytest.fixture(scope="package")
def registry(tmp_path_factory: pytest.TempPathFactory, estate: Estate) -> Iterator[Registry]:
    """A real registry with Basic authentication and things in it."""
    with running_registry(tmp_path_factory.mktemp("pages-registry"), basic=True) as running:
        Storage(running.storage).write(estate)
        yield running


@pytest_asyncio.fixture(scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with Tallyman(tmp_path_factory.mktemp("pages") / "data").serving() as running:
        yield running


@pytest_asyncio.fixture
async def visitor(browser: Browser, service: Service, tmp_path: Path) -> AsyncIterator[Visit]:
    """Somebody who has signed in."""
    async with visit(browser, service.console) as visiting:
        await visiting.sign_in(ADMIN_PASSWORD)
        await visiting.page.wait_for_selector("h1:has-text('Overview')")
        yield visiting
