"""`make screenshots`: the README's pictures, taken of the console with the bundled sample in a real browser."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.contract.source_tree import ROOT
from tests.e2e.pages.browser import Visit, chromium, visit
from tests.e2e.tallyman_commands import ADMIN_PASSWORD, Tallyman

FOLDER: Final = ROOT / "docs" / "screenshots"
_WINDOW: Final = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}


async def _take(window: Visit, name: str) -> None:
    await window.page.wait_for_timeout(500)
    await window.page.screenshot(path=FOLDER / f"{name}.png")
    print(f"docs/screenshots/{name}.png")


async def _tour(window: Visit) -> None:
    page = window.page
    await window.sign_in(ADMIN_PASSWORD)
    await page.wait_for_selector("h1:has-text('Overview')")
    await _take(window, "overview")
    await window.open("/registries/sample")
    await page.click("text=Update images list")
    await page.wait_for_timeout(3000)
    await page.click("text=Refresh status")
    await page.wait_for_selector("#status .stages")
    await _take(window, "registry")
    host = await page.locator(".host").inner_text()
    await window.open("/registries/new")
    await page.fill("#field-name", "of-ours")
    await page.fill("#field-host", host.rpartition(" ")[2])
    await page.click("text=Test it")
    await page.wait_for_selector(".check h2:text-is('Test')")
    await _take(window, "test-it")
    await window.open("/images")
    await _take(window, "images")


async def main() -> None:
    """Write the pictures anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        tallyman = Tallyman(Path(folder) / "data")
        async with (
            tallyman.serving("--load", "sample") as service,
            chromium() as browser,
            visit(browser, service.console, **_WINDOW) as window,
        ):
            await _tour(window)


if __name__ == "__main__":
    asyncio.run(main())
