"""Wherever the trigger dies, no image is lost, and what is sent again has the id it had."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.messages.cloud_events import event_on_kafka
from shared.messages.topics import SCAN_TRIGGERS
from shared.settings import Settings
from tests.integration.trigger.crashing import EXIT, REGISTRIES
from tests.integration.trigger.working import SECONDS, caught_up, digest, event, image, tell
from tests.support.worker import records_of

STEPS = [
    *(f"{when} {what}" for what in ("wanted", "trigger", "delivery", "table") for when in ("before", "after")),
    "within wanted",
    "within trigger",
]
IMAGES = range(6)


@asynccontextmanager
async def process(settings: Settings, data: Path, *step: str) -> AsyncIterator[asyncio.subprocess.Process]:
    told = {
        "TALLYMAN_KAFKA": str(settings.kafka),
        "TALLYMAN_CLICKHOUSE": "http://127.0.0.1:1",  # the trigger asks no store
        "TALLYMAN_TOPIC_PREFIX": settings.topic_prefix,
        "TALLYMAN_PARTITIONS": str(settings.partitions),
        "TALLYMAN_DATA": str(data),
        "TALLYMAN_TRIGGERS_PER_SECOND": "1000",
        "TALLYMAN_WEBHOOKS": "http://127.0.0.1:1/nobody",
        "TALLYMAN_WEBHOOK_SECRET": "whsec_" + "A" * 32,
    }
    module = "tests.integration.trigger.crashing"
    running = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *step, env={**os.environ, **told})
    try:
        yield running
    finally:
        if running.returncode is None:
            running.send_signal(signal.SIGTERM)
            await asyncio.wait_for(running.wait(), 60)


async def sent(settings: Settings) -> dict[str, list[str]]:
    """The ids of all triggers, by digest."""
    ids: dict[str, list[str]] = {}
    for record in await records_of(settings, SCAN_TRIGGERS):
        told = event_on_kafka(record.headers, record.value)
        ids.setdefault(record.key.decode(), []).append(str(told["id"]))
    return ids


@pytest.mark.parametrize("step", STEPS)
async def test_no_image_is_lost_wherever_the_trigger_dies(
    trigger_settings: Settings, tmp_path: Path, step: str
) -> None:
    """It dies at a step of its first image; another one, on a machine without the table, takes over."""
    told = [event(image(number, name)) for number in IMAGES for name in REGISTRIES]
    await tell(trigger_settings, *told)
    async with process(trigger_settings, tmp_path / "dying", step) as dying:
        assert await asyncio.wait_for(dying.wait(), SECONDS) == EXIT
    async with process(trigger_settings, tmp_path / "living"):
        await caught_up(trigger_settings)
    ids = await sent(trigger_settings)
    assert ids.keys() == {digest(number) for number in IMAGES}
    assert {key: len(set(several)) for key, several in ids.items()} == dict.fromkeys(ids, 1)
    assert sum(len(several) for several in ids.values()) <= len(IMAGES) + 2, "only what was at work is sent again"
