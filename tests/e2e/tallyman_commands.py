"""The command line as people use it: a process of its own for each command (a fork where it only runs to its end), and
the service that answers them."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from services.opening import connections_topic
from shared.connections.rules import ConnectionSettings
from shared.settings import Settings
from tallyman.door import Door
from tallyman.loading import Loaded, load
from tests.e2e.command_server import run_command

_COMMAND: Final = (sys.executable, "-m", "tallyman")
_COMMAND_SECONDS: Final = 120.0
_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 30.0
_SERVING: Final = "Serving."
ADMIN_PASSWORD: Final = "correct horse battery"


@dataclass(frozen=True)
class Finished:
    """A command that has ended. code: its exit code.  out, err: all it printed."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float

    def objects(self) -> list[dict[str, Any]]:
        """What it printed as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Tallyman:
    """The command line on one data folder, with nothing of Tallyman in the environment but `environment`.

    said: everything the commands of this folder have printed, for the search for secrets.  forks: whether commands that
    run to their end are forks of a process that has imported them; else each is a process of its own, as a user's is.
    """

    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    forks: bool = True

    async def __call__(self, *words: str, code: int = 0, stdin: str = "") -> Finished:
        """Run a command to its end. Fails, showing what it said, where its exit code is not `code`."""
        started = time.monotonic()
        ended = await (self._forked if self.forks else self._own_process)(words, stdin)
        done = Finished(words, *ended, seconds=round(time.monotonic() - started, 1))
        self.said += [done.out, done.err]
        assert done.code == code, f"tallyman {' '.join(words)} ended with {done.code}: {done.out}{done.err}"
        return done

    async def rows(self, *words: str) -> list[dict[str, Any]]:
        """The rows that a command shows."""
        return (await self(*words, "--format", "jsonl")).objects()

    async def sql(self, statement: str) -> list[dict[str, Any]]:
        """The answer to a statement."""
        return await self.rows("sql", statement)

    async def load_here(self, host: str, **connection: Any) -> Loaded:
        """Load through the running service as `load` does, but without a process for it; any setting can be given."""
        door = await Door.find(self.data)
        assert door is not None
        settings = Settings().model_copy(update={"data": self.data, "kafka": door.kafka})
        wanted = ConnectionSettings(**{"max_rps": 100_000, **connection})
        topic = connections_topic(settings)
        outcome = await load(settings, topic, host, wanted, allow_empty=False, tell=lambda seen, seconds: None)
        return outcome.loaded

    async def ask(self, statement: str) -> list[dict[str, Any]]:
        """The answer to a statement, asked of the running service as `sql` does, but without a process for it."""
        door = await Door.find(self.data)
        assert door is not None
        async with door.select(statement) as (columns, rows):
            return [dict(zip(columns, row, strict=True)) async for row in rows]

    async def load(self, host: str, *words: str, code: int = 0, stdin: str = "") -> dict[str, Any]:
        """The one object that a load with --json prints; the load may ask the registry as fast as it can."""
        done = await self("load", host, "--json", "--max-rps", "100000", *words, code=code, stdin=stdin)
        (told,) = done.objects()
        return told

    async def start(self, *words: str, stderr: Any = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
        """Start a command, its input and output in pipes."""
        return await asyncio.create_subprocess_exec(
            *(*_COMMAND, *self._words(words)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=_environment(self.environment),
        )

    async def _forked(self, words: tuple[str, ...], stdin: str) -> tuple[int, str, str]:
        return await run_command(self._words(words), _environment(self.environment), stdin, _COMMAND_SECONDS)

    async def _own_process(self, words: tuple[str, ...], stdin: str) -> tuple[int, str, str]:
        process = await self.start(*words)
        try:
            async with asyncio.timeout(_COMMAND_SECONDS):
                out, err = await process.communicate(stdin.encode())
        finally:
            if process.returncode is None:  # nobody waits for it any more
                process.kill()
                await process.wait()
        return process.returncode or 0, out.decode(), err.decode()

    def _words(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return words if "--help" in words else (*words, "--data", str(self.data))

    @asynccontextmanager
    async def serving(self, *words: str) -> AsyncIterator["Service"]:
        """`tallyman run` from when it serves until the block ends, then stopped by Ctrl-C."""
        log = self.data.with_name(f"{self.data.name}.{time.monotonic_ns()}.log")
        with log.open("wb") as output:
            service = Service(await self.start("run", *words, stderr=output), log)
        try:
            await service.ready()
            yield service
        finally:
            await service.stop()
            self.said.append(service.log.read_text())


@dataclass(frozen=True)
class Service:
    """A running `tallyman run`. log: what it says on stderr."""

    process: asyncio.subprocess.Process
    log: Path

    async def ready(self) -> None:
        """Wait until it serves. Fails with what it said where it ends instead."""
        async with asyncio.timeout(_START_SECONDS):
            while _SERVING not in self.log.read_text():
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)

    @property
    def console(self) -> str:
        """The console's address, without a slash at the end."""
        found = re.search(r"^Console:  (\S+)/$", self.log.read_text(), re.MULTILINE)
        assert found, self.log.read_text()
        return found[1]

    async def stop(self, number: int = signal.SIGINT) -> int:
        """Send it a signal, wait for its end, and return the exit code. One that has ended stays as it is."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(_STOP_SECONDS):
            return await self.process.wait()


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment, Tallyman's variables replaced by those given; output is never coloured."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TALLYMAN_")}
    console = {"TALLYMAN_CONSOLE": "127.0.0.1:0", "TALLYMAN_ADMIN_PASSWORD": ADMIN_PASSWORD}
    every = {**kept, "NO_COLOR": "1", "COLUMNS": "160", **console, **more}
    return {name: value for name, value in every.items() if value or not name.startswith("TALLYMAN_")}
