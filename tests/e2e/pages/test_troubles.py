"""What waits for a person: removals that are held back, and messages that could not be worked."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from aiokafka import AIOKafkaProducer
from playwright.async_api import Browser, expect

from shared.messages.topics import TAGS_FOUND
from tallyman.door import Door
from tests.e2e.pages.browser import Visit, visit
from tests.e2e.tallyman_commands import ADMIN_PASSWORD, Tallyman
from tests.support.generator import generate
from tests.support.generator_storage import Storage
from tests.support.registry import running_registry

_PATIENCE_MS = 30_000
_TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest_asyncio.fixture
async def tallyman(tmp_path: Path) -> AsyncIterator[Tallyman]:
    """The command line beside a running service of its own."""
    made = Tallyman(tmp_path / "data")
    async with made.serving() as service:
        made.environment = {"CONSOLE": service.console}
        yield made


@pytest_asyncio.fixture
async def window(browser: Browser, tallyman: Tallyman) -> AsyncIterator[Visit]:
    async with visit(browser, tallyman.environment["CONSOLE"]) as visiting:
        await visiting.sign_in(ADMIN_PASSWORD)
        yield visiting


async def test_held_removals_are_shown_with_their_reason_and_confirmed(
    window: Visit, tallyman: Tallyman, tmp_path: Path
) -> None:
    estate = generate(seed=8, repositories=4, tags=60)
    with running_registry(tmp_path / "registry") as registry:
        storage = Storage(registry.storage)
        storage.write(estate)
        await tallyman.load(registry.url, "--name", "emptied")
        (largest,) = [name for name, tags in estate.repositories.items() if len(tags) > 25]
        for tag in list(estate.repositories[largest])[2:]:
            storage.delete_tag(largest, tag)
        held = await tallyman.load(registry.url, code=3)
        await window.open("/registries/emptied")
        waiting = window.page.get_by_role("heading", name="Held back: 1 repository waits for your word")
        await expect(waiting).to_be_visible()
        await expect(window.page.get_by_label("Held back")).to_contain_text("tags would be removed, too many")
        await window.screenshot("held-back")
        assert await window.page.evaluate(_TOO_WIDE) <= 0
        assert await window.faults() == []
        await window.open(f"/scans/emptied/{held['scan_id']}")
        await expect(window.page.get_by_text("Removals are held back until a person confirms them")).to_be_visible()
        await window.open("/registries/emptied")
        await window.page.get_by_role("button", name="Confirm", exact=True).click()
        await expect(window.page.locator("#notice")).to_contain_text("1 repository is read once more")
        await expect(waiting).to_have_count(0, timeout=_PATIENCE_MS)  # the page follows by itself
    assert await tallyman.sql("SELECT repository FROM scan_held") == []


async def test_a_dead_letter_is_seen_replayed_and_dropped(window: Visit, tallyman: Tallyman) -> None:
    door = await Door.find(tallyman.data)
    assert door is not None
    await window.open("/dead-letters")
    await expect(window.page.get_by_text("No open dead letter: every message was worked.")).to_be_visible()
    async with AIOKafkaProducer(bootstrap_servers=door.kafka) as producer:
        await producer.send_and_wait(TAGS_FOUND.name, b"{not a message", b"key", partition=0)
    link = window.page.get_by_role("link", name="manifester-")
    for _ in range(50):
        await window.open("/dead-letters")
        if await link.count():
            break
        await window.page.wait_for_timeout(200)
    await window.screenshot("dead-letters")
    assert await window.page.evaluate(_TOO_WIDE) <= 0
    assert await window.faults() == []
    await link.first.click()
    await expect(window.page.get_by_label("Message")).to_have_text("{not a message")
    await window.screenshot("dead-letter")
    assert await window.faults() == []
    name = await window.page.locator("h1").inner_text()
    await window.page.get_by_role("button", name="Replay").click()
    await expect(window.page.locator("#notice")).to_contain_text("was sent once more")
    await window.page.get_by_role("button", name="Replay").click()
    await expect(window.page.locator("#notice")).to_contain_text("had been replayed before")
    listed = (await tallyman("dead-letters", "list", "--state", "replayed", "--format", "jsonl")).objects()
    assert [letter["name"] for letter in listed] == [name]
    assert (await tallyman("dead-letters", "show", name, "--raw")).out == "{not a message"
    assert "no dead letter sink-0-99" in (await tallyman("dead-letters", "show", "sink-0-99", code=2)).err
    dropped = await tallyman("dead-letters", "drop", "--all")
    assert "dropped" in dropped.out  # it came again, as unreadable as before
    assert (await tallyman("dead-letters", "list", "--format", "jsonl")).objects() == []
