"""Chromium, and pages that tell of every error: one that goes unnoticed by its test makes it fail."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Response, async_playwright

from tests.contract.source_tree import ROOT
from tests.support.programs import find_program, give_playwright_node

SCREENSHOTS: Final = ROOT / "build" / "test-output" / "pages"
_SERIOUS: Final = frozenset({"serious", "critical"})


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser, without a window."""
    give_playwright_node()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_program("chromium"), args=["--no-sandbox"])
        yield browser
        await browser.close()


@dataclass
class Visit:
    """One browser window on the console.

    base: the console's address.  troubles: errors on the console, violations of the policy, failed and refused
    requests, requests that leave the console.  expected: regular expressions of those that a test means to cause.
    """

    base: str
    page: Page
    troubles: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("requestfailed", lambda request: self._failed(request.url, request.failure or ""))
        self.page.on("response", self._answered)
        self.page.on("request", lambda request: self._asked(request.url))

    async def open(self, path: str) -> None:
        await self.page.goto(self.base + path)

    async def sign_in(self, password: str) -> None:
        await self.open("/sign-in")
        await self.page.fill("#password", password)
        async with self.page.expect_navigation(wait_until="load"):  # leaving before breaks its requests off
            await self.page.click("text=Sign in >> nth=-1")

    async def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    async def faults(self) -> list[str]:
        """Serious faults of accessibility on the page as it is now, in words."""
        found: Any = await Axe().run(self.page)
        return [
            f"{one['id']}: {node['html'][:150]}"
            for one in found.response["violations"]
            if one["impact"] in _SERIOUS
            for node in one["nodes"]
        ]

    def unexpected(self) -> list[str]:
        return [told for told in self.troubles if not any(re.search(one, told) for one in self.expected)]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"console {message.type}: {message.text} {message.location.get('url', '')}")

    def _failed(self, url: str, why: str) -> None:
        if url.endswith("/icon.svg") and why == "net::ERR_ABORTED":
            return  # the tab's icon is fetched at leisure after the load: whoever leaves sooner breaks it off
        self.troubles.append(f"failed: {url} {why}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.troubles.append(f"status {response.status}: {response.url}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.base, "data:")):
            self.troubles.append(f"elsewhere: {url}")


@asynccontextmanager
async def visit(browser: Browser, base: str, **options: Any) -> AsyncIterator[Visit]:
    """A window of its own, its troubles looked at when the block ends well."""
    settings = {"viewport": {"width": 1280, "height": 900}, "permissions": ["clipboard-read", "clipboard-write"]}
    context: BrowserContext = await browser.new_context(**{**settings, **options})
    context.set_default_timeout(20_000)
    visiting = Visit(base, await context.new_page())
    visiting.watch()
    try:
        yield visiting
        assert visiting.unexpected() == [], "\n".join(visiting.unexpected())
    except BaseException:
        await visiting.screenshot("failed-" + re.sub(r"\W+", "-", visiting.page.url.removeprefix(base)))
        raise
    finally:
        await context.close()
