"""The trigger as a process that dies at a step, as if it were killed there: `… crashing STEP`, or none to live.

A step is "before WHAT" or "after WHAT"; WHAT: wanted (its message is sent), trigger, delivery, table. "within trigger":
the trigger is on its way, and its acknowledgement is not waited for.
"""

import asyncio
import os
import sys
from collections.abc import Callable

from services.trigger.service import run_trigger
from services.trigger.stage import Ports
from shared.connections.secrets import Secrets
from shared.messages.cloud_events import Headers
from shared.messages.topics import DELIVERY_REQUESTED, SCAN_TRIGGERS, TRIGGER_WANTED, TopicName
from shared.pipeline.process import run_process
from shared.settings import load_settings
from tests.integration.trigger.working import Connections
from tests.support.worker import BRISK

EXIT = 86
_NAMES = {TRIGGER_WANTED: "wanted", SCAN_TRIGGERS: "trigger", DELIVERY_REQUESTED: "delivery"}
REGISTRIES = ("registry01", "registry02")


class Dying:
    """Ports of a process that dies at a step."""

    def __init__(self, step: str) -> None:
        self.step = step

    def at(self, step: str) -> None:
        if step == self.step:
            os._exit(EXIT)

    def __call__(self, ports: Ports) -> Ports:
        self.ports = ports
        return Ports(self.send, self)

    async def send(self, topic: TopicName, key: bytes, value: bytes, headers: Headers) -> None:
        name = _NAMES[topic]
        self.at(f"before {name}")
        if self.step == f"within {name}":
            asyncio.get_running_loop().call_later(0.05, os._exit, EXIT)
        await self.ports.send(topic, key, value, headers)
        self.at(f"after {name}")

    def last(self, entry: bytes) -> bytes | None:
        return self.ports.triggered.last(entry)

    def keep(self, entry: bytes, id_: bytes) -> None:
        self.at("before table")
        self.ports.triggered.keep(entry, id_)
        self.at("after table")


async def run(stop: asyncio.Event) -> None:
    settings = load_settings()
    between: Callable[[Ports], Ports] = Dying(" ".join(sys.argv[1:]))
    connections = Connections().add(*REGISTRIES)
    await run_trigger(settings, connections, Secrets.of(settings), stop, between=between, pace=BRISK)


if __name__ == "__main__":
    sys.exit(run_process(run))
