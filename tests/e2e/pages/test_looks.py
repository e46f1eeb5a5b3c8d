"""Every page, wide and narrow, light and dark: no error, no request elsewhere, no serious fault of accessibility."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.e2e.pages.browser import Visit, visit
from tests.e2e.tallyman_commands import ADMIN_PASSWORD, Service, Tallyman

PAGES = {
    "overview": "/",
    "registries": "/registries",
    "new": "/registries/new",
    "registry": "/registries/sample",
    "edit": "/registries/sample/edit",
    "delete": "/registries/sample/delete",
    "images": "/images",
    "nothing-fits": "/images?search=nothing+is+called+so",
    "scans": "/scans",
    "dead-letters": "/dead-letters",
}
WINDOWS: dict[str, dict[str, Any]] = {
    "wide-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "wide-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "narrow-light": {"viewport": {"width": 400, "height": 800}, "color_scheme": "light"},
    "narrow-dark": {"viewport": {"width": 400, "height": 800}, "color_scheme": "dark"},
}


@pytest_asyncio.fixture(scope="module")
async def with_sample(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service that has loaded the sample."""
    async with Tallyman(tmp_path_factory.mktemp("looks") / "data").serving("--load", "sample") as running:
        yield running


@pytest_asyncio.fixture(params=WINDOWS)
async def window(request: pytest.FixtureRequest, browser: Browser, with_sample: Service) -> AsyncIterator[Visit]:
    async with visit(browser, with_sample.console, **WINDOWS[request.param]) as visiting:
        await visiting.sign_in(ADMIN_PASSWORD)
        yield visiting


async def test_every_page_is_well(window: Visit, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["window"]
    faults: dict[str, list[str]] = {}
    too_wide: dict[str, int] = {}
    for page, path in PAGES.items():
        await window.open(path)
        if page == "new":
            await window.page.evaluate("for (const group of document.querySelectorAll('details')) group.open = true")
        await window.screenshot(f"{page}-{name}")
        if found := await window.faults():
            faults[page] = found
        width = await window.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if width > 0:
            too_wide[page] = width
    await window.open("/images")
    await window.page.locator("tbody a").first.click()
    await window.page.wait_for_selector("#digest")
    await window.screenshot(f"image-{name}")
    faults |= {"image": found} if (found := await window.faults()) else {}
    await window.open("/scans")
    await window.page.locator("tbody a").first.click()
    await expect(window.page.locator("h1")).to_contain_text("Scan")
    await window.screenshot(f"scan-{name}")
    faults |= {"scan": found} if (found := await window.faults()) else {}
    assert faults == {}
    assert too_wide == {}, "the page itself scrolls sideways"


async def test_what_is_not_there_is_told_on_a_page(browser: Browser, with_sample: Service) -> None:
    async with visit(browser, with_sample.console) as window:
        window.expected = [r"(status|console error).*404"]
        await window.sign_in(ADMIN_PASSWORD)
        for path in ("/nowhere", "/registries/nobody", "/images/sample/sha256:" + "0" * 64 + "?repository=x"):
            await window.open(path)
            await expect(window.page.locator("h1")).to_have_text("Not Found")
            assert await window.faults() == []


async def test_everything_can_be_reached_by_keyboard(browser: Browser, with_sample: Service) -> None:
    async with visit(browser, with_sample.console) as window:
        await window.sign_in(ADMIN_PASSWORD)
        await window.open("/registries")
        reached = []
        for _ in range(14):
            await window.page.keyboard.press("Tab")
            reached.append(await window.page.evaluate("document.activeElement.textContent.trim()"))
        assert reached[0] == "Skip to content"
        assert {"Overview", "Images", "Sign out", "Setup new", "sample", "View", "Edit", "Delete"} <= set(reached)
        await window.open("/images")
        await window.page.keyboard.press("Tab")
        await window.page.keyboard.press("Enter")
        assert await window.page.evaluate("document.activeElement.id") == "main"


async def test_times_are_in_the_readers_zone_with_utc_on_hover(browser: Browser, with_sample: Service) -> None:
    async with visit(browser, with_sample.console, timezone_id="Asia/Tokyo", locale="de-DE") as window:
        await window.sign_in(ADMIN_PASSWORD)
        await window.open("/scans")
        time = window.page.locator("tbody time").first
        told = await time.evaluate(
            "e => [new Date(e.dateTime).toLocaleTimeString('de-DE', "
            "{timeZone: 'Asia/Tokyo', hour: '2-digit', minute: '2-digit'}), e.textContent]"
        )
        assert told[0] in told[1]
        assert (await time.get_attribute("title") or "").endswith(" UTC")


async def test_signing_out_ends_the_session(browser: Browser, with_sample: Service) -> None:
    async with visit(browser, with_sample.console) as window:
        await window.sign_in(ADMIN_PASSWORD)
        await window.page.click("text=Sign out")
        await expect(window.page).to_have_url(with_sample.console + "/sign-in")
        await window.open("/registries")
        await expect(window.page.locator("#password")).to_be_visible()
        assert await window.faults() == []


async def test_the_documentations_page_works_without_internet(browser: Browser, with_sample: Service) -> None:
    async with visit(browser, with_sample.console) as window:
        await window.sign_in(ADMIN_PASSWORD)
        await window.open("/api/docs")
        await expect(window.page.locator("#docs")).to_contain_text("Connect a registry")
