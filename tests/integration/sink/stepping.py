"""The sink's work cut into steps: at one of them whoever works falls asleep, which for all others is a crash."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer

from services.sink.publisher import NewProducer
from shared.store import Store
from shared.store.rows import Row


@dataclass
class Steps:
    """Notes each step, and sleeps at one."""

    sleeps_at: str = ""
    names: list[str] = field(default_factory=list)
    asleep: asyncio.Event = field(default_factory=asyncio.Event)
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    async def step(self, name: str) -> None:
        self.names.append(name)
        if name == self.sleeps_at and not self.asleep.is_set():
            self.asleep.set()
            await self.awake.wait()


class SteppedStore(Store):
    """The real store; before and after each insert is a step."""

    def __init__(self, store: Store, steps: Steps) -> None:
        super().__init__(store._engine, store._lock)
        self._steps = steps

    async def insert(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        await self._steps.step(f"before insert {rows[0].TABLE}")
        await super().insert(rows)
        await self._steps.step(f"after insert {rows[0].TABLE}")


def stepped_producer(steps: Steps) -> NewProducer:
    """Return a producer that takes the real steps of a transaction one by one."""

    class Stepped(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
        sent = -1

        async def begin_transaction(self) -> None:
            await steps.step("before begin")
            await super().begin_transaction()
            await steps.step("after begin")

        async def send_batch(self, *arguments: Any, **options: Any) -> Any:
            self.sent += 1
            number = self.sent
            await steps.step(f"before send {number}")
            future = await super().send_batch(*arguments, **options)
            await steps.step(f"after send {number}")
            return future

        async def send_offsets_to_transaction(self, *arguments: Any) -> None:
            await steps.step("before offsets")
            await super().send_offsets_to_transaction(*arguments)
            await steps.step("after offsets")

        async def commit_transaction(self) -> None:
            await steps.step("before commit")
            await super().commit_transaction()
            await steps.step("after commit")

    return Stepped
