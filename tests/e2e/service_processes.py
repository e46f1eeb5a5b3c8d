"""The distributed form: each service a process of its own, all of one installation by their environment."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet

from shared.settings import Settings

STAGES: Final = ("lister", "tagger", "manifester", "sink")
_STOP_SECONDS: Final = 30.0


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables by which service processes are of this installation; its key is made here."""
    assert settings.clickhouse_password is not None
    return {
        "TALLYMAN_KAFKA": str(settings.kafka),
        "TALLYMAN_CLICKHOUSE": str(settings.clickhouse),
        "TALLYMAN_CLICKHOUSE_USERNAME": settings.clickhouse_username,
        "TALLYMAN_CLICKHOUSE_PASSWORD": settings.clickhouse_password.get_secret_value(),
        "TALLYMAN_TOPIC_PREFIX": settings.topic_prefix,
        "TALLYMAN_PARTITIONS": str(settings.partitions),
        "TALLYMAN_SECRET_KEY": Fernet.generate_key().decode(),
    }


@dataclass
class Services:
    """Running services.

    environment: Tallyman's variables.  logs: where each writes what it says on stderr.
    beside: further variables of a stage's processes.
    """

    environment: Mapping[str, str]
    logs: Path
    beside: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    running: dict[str, Process] = field(default_factory=dict)

    async def start(self, stage: str, number: int) -> None:
        """Start one process of a stage."""
        name = f"{stage}-{number}"
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"services.{stage}"),
                env={**os.environ, **self.environment, **self.beside.get(stage, {})},
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def kill(self, stage: str, number: int) -> None:
        """Kill a process at once: it has no time for anything."""
        process = self.running.pop(f"{stage}-{number}")
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL

    def ended(self) -> list[str]:
        """Return which of them have ended, though nobody ended them."""
        return [name for name, process in self.running.items() if process.returncode is not None]

    def said(self, level: str) -> Iterator[str]:
        """Yield what all have logged at this level."""
        for log in sorted(self.logs.glob("*.log")):
            lines = log.read_text().splitlines()
            yield from (line for line in lines if f" level={level} " in line or "Traceback" in line)


@asynccontextmanager
async def running_services(
    environment: Mapping[str, str], logs: Path, each: int, beside: Mapping[str, Mapping[str, str]] | None = None
) -> AsyncIterator[Services]:
    """Run so many processes of each stage until the block ends; then each must stop when it is asked to."""
    services = Services(environment, logs, beside or {})
    try:
        await asyncio.gather(*(services.start(stage, number) for stage in STAGES for number in range(each)))
        yield services
        assert services.ended() == []
    finally:
        codes = await asyncio.gather(*map(stopped, services.running.values()))
    assert set(codes) == {0}, dict(zip(services.running, codes, strict=True))


async def stopped(process: Process) -> int:
    """Ask a process to stop, and return its exit code; one that does not stop in time is killed."""
    if process.returncode is None:
        process.terminate()
    try:
        return await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        return await process.wait()
