"""A person who never read a manual: from the first start to a registry's deletion."""

import re
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.e2e.pages.browser import Visit, visit
from tests.e2e.tallyman_commands import ADMIN_PASSWORD, Service, Tallyman
from tests.support.generator import Estate
from tests.support.registry import PASSWORD, USERNAME, Registry

REFUSED = r"(status|console error).*(422|401)"


async def test_the_first_start_prints_an_address_and_a_password_that_lets_in(browser: Browser, tmp_path: Path) -> None:
    commands = Tallyman(tmp_path / "data", {"TALLYMAN_ADMIN_PASSWORD": ""})
    async with commands.serving() as service:
        printed = re.search(r"^Password: (\S+) ", service.log.read_text(), re.MULTILINE)
        assert printed
        async with visit(browser, service.console) as visitor:
            await visitor.open("/")
            await expect(visitor.page).to_have_url(service.console + "/sign-in")
            visitor.expected = [r"(status|console error).*401"]
            await visitor.sign_in("a guess")
            await expect(visitor.page.locator("#error")).to_contain_text("This is not the password")
            await visitor.screenshot("sign-in-refused")
            await visitor.sign_in(printed[1])
            await expect(visitor.page.locator("h2")).to_have_text("No registry is connected yet")
            await visitor.screenshot("empty")
            await visitor.page.click("main >> text=Connect a registry >> nth=-1")
            await expect(visitor.page.locator("h1")).to_have_text("Connect a registry")
    async with commands.serving() as again:
        assert "Password:" not in again.log.read_text(), "it is shown once"


async def test_a_registry_is_set_up_tested_loaded_browsed_edited_and_deleted(
    visitor: Visit, registry: Registry, estate: Estate
) -> None:
    page = visitor.page
    visitor.expected = [REFUSED]
    await visitor.open("/registries")
    await page.click("text=Setup new")
    await page.click("button[type=submit]")
    await expect(page.locator(".notice.bad")).to_contain_text("Nothing was saved")
    await expect(page.locator("#field-host")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#error-host")).to_contain_text("starts with https://")

    await page.fill("#field-name", "distribution")
    await page.fill("#field-host", registry.url)
    await page.fill("#field-username", USERNAME)
    await page.fill("#field-password", "a wrong password")
    await page.click("text=Test it")
    failed = page.locator(".stages li.failed")
    await expect(failed).to_contain_text("rejected the user name or password")
    await expect(page.locator(".stages li")).to_have_count(9)
    await visitor.screenshot("test-failed")

    await page.fill("#field-password", PASSWORD)
    await page.click("text=Test it")
    await expect(page.locator(".check h2")).to_have_text("Test")
    await expect(page.locator(".stages li.failed")).to_have_count(0)
    await expect(page.locator(".stages")).to_contain_text(f"Signed in as {USERNAME}.")
    await visitor.screenshot("test-passed")
    await page.click("button[type=submit]")

    await expect(page.locator("h1")).to_have_text("distribution")
    await expect(page.locator("#progress h2")).to_have_text("Not loaded yet")
    await page.click("text=Refresh status")
    await expect(page.locator("#status .mark").first).to_have_text(re.compile("well|needs a look"))
    await page.click("text=Update images list")
    await expect(page.locator("#notice")).to_contain_text("is asked for")
    await expect(page.locator("#progress .mark")).to_have_text("complete", timeout=60_000)
    await expect(page.locator("#progress")).to_contain_text("20 of 20")
    await expect(page.locator("#facts .numbers")).to_contain_text("300")
    await expect(page.locator("#facts tbody tr")).to_contain_text("complete")
    await visitor.screenshot("loaded")

    await visitor.open("/images?registry=distribution")
    repository = next(name for name, tags in estate.repositories.items() if tags)
    await page.fill("#search", repository)
    await expect(page.locator("tbody tr").first).to_contain_text(repository)
    await visitor.screenshot("images-found")
    await page.fill("#search", "nothing is called so")
    await expect(page.locator("#list h2")).to_have_text("Nothing fits")
    await page.fill("#search", "")
    await expect(page.locator("tbody tr")).to_have_count(50)
    await page.click("text=Next page")
    await expect(page.locator("text=First page")).to_be_visible()
    await page.locator("tbody a").first.click()
    await expect(page.locator("#digest")).to_contain_text("sha256:")
    await page.click("button[data-copy=pull]")
    await expect(page.locator("button[data-copy=pull]")).to_have_text("Copied")
    assert (await page.evaluate("navigator.clipboard.readText()")).startswith("docker pull ")
    await visitor.screenshot("image")

    await visitor.open("/registries/distribution/edit")
    assert await page.input_value("#field-password") == ""
    await page.click("summary:has-text('Limits')")
    await page.fill("#field-max_rps", "0")
    await page.click("button[type=submit]")
    await expect(page.locator("#error-max_rps")).to_contain_text("greater than or equal to 1")
    await page.fill("#field-max_rps", "7")
    await page.click("button[type=submit]")
    await expect(page.locator(".settings")).to_contain_text("7 requests per second")

    await page.click("text=Delete")
    await visitor.screenshot("delete")
    await page.click("text=Keep it")
    await page.click("text=Delete")
    await page.click("button.danger")
    await expect(page).to_have_url(visitor.base + "/registries")
    await expect(page.locator("main")).not_to_contain_text("distribution")


async def test_a_running_load_shows_its_progress_and_can_be_cancelled(
    visitor: Visit, registry: Registry, service: Service
) -> None:
    page = visitor.page
    await visitor.open("/registries/new")
    await page.fill("#field-name", "slow")
    await page.fill("#field-host", registry.url)
    await page.fill("#field-username", USERNAME)
    await page.fill("#field-password", PASSWORD)
    await page.click("summary:has-text('Limits')")
    await page.fill("#field-max_rps", "20")
    await page.click("button[type=submit]")
    await page.click("text=Update images list")
    await expect(page.locator("#progress .mark")).to_have_text("running")
    await expect(page.locator("#progress dl")).to_contain_text("of 20")
    await expect(page.locator("#progress dl")).not_to_contain_text("0 of 20", timeout=30_000)
    await visitor.screenshot("loading")
    await page.click("#progress button")
    await expect(page.locator("#progress .mark")).to_have_text("cancelled")
    await expect(page.locator("#notice")).to_contain_text("What was completed stays")


async def test_two_people_who_edit_at_once_one_is_told(browser: Browser, visitor: Visit, registry: Registry) -> None:
    visitor.expected = [REFUSED]
    page = visitor.page
    await visitor.open("/registries/new")
    await page.fill("#field-name", "contended")
    await page.fill("#field-host", registry.url)
    await page.click("button[type=submit]")
    await expect(page.locator("h1")).to_have_text("contended")
    await page.click("text=Edit")
    async with visit(browser, visitor.base) as other:
        await other.sign_in(ADMIN_PASSWORD)
        await other.open("/registries/contended/edit")
        await other.page.fill("#field-page_size", "50")
        await other.page.click("button[type=submit]")
        await expect(other.page.locator(".settings")).to_contain_text("50")
    await page.fill("#field-page_size", "60")
    await page.click("button[type=submit]")
    await expect(page.locator(".notice.bad")).to_contain_text("was changed meanwhile")
