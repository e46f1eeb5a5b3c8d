"""A heartbeat: a file that a living process writes again and again, and the check that reads its age.

`python -m shared.observability.heartbeat` is a container's health check: it ends with 0 while the process whose
file `TALLYMAN_HEARTBEAT` names has beaten lately, else with 1 and a sentence.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from shared.errors import SettingsError
from shared.settings import load_settings

BEAT_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 30.0
"""A process silent for so long is taken for hung: its event loop has not turned."""


@asynccontextmanager
async def beating(file: Path | None) -> AsyncIterator[None]:
    """Beat while the block runs, from its first moment on; without a file, do nothing.

    The beat is a task of the event loop, so a handler that blocks the loop stops it. The file goes with the block.
    """
    if file is None:
        yield
        return
    write_beat(file, time.monotonic())
    beats = asyncio.create_task(_beat_on(file))
    try:
        yield
    finally:
        beats.cancel()
        with suppress(asyncio.CancelledError):
            await beats
        remove_beat(file)


async def _beat_on(file: Path) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        write_beat(file, time.monotonic())


def write_beat(file: Path, now: float) -> None:
    """Write `now` (the machine's monotonic seconds: no clock that somebody sets can make a process look dead)."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text(f"{now:.3f}\n", encoding="ascii")
    fresh.replace(file)


def remove_beat(file: Path) -> None:
    """Leave nothing behind that a later process of the same name could be mistaken for."""
    file.unlink(missing_ok=True)


def what_is_wrong(file: Path, now: float) -> str | None:
    """Return a sentence when the process of this file does not beat, None when it does."""
    try:
        age = now - float(file.read_text(encoding="ascii"))
    except FileNotFoundError:
        return f"No heartbeat: {file} is not there, so the process has not started or has ended."
    except ValueError:
        return f"No heartbeat: {file} holds something else."
    if not 0 <= age < SILENT_SECONDS:
        return f"The last heartbeat is {age:.0f} s old; up to {SILENT_SECONDS:.0f} s is healthy."
    return None


def main(clock: Callable[[], float] = time.monotonic) -> int:
    """Check the heartbeat that the settings name; 0 = alive.  clock: the seconds that beats are written in."""
    try:
        file = load_settings().heartbeat
    except SettingsError as error:
        wrong: str | None = str(error)
    else:
        unset = "TALLYMAN_HEARTBEAT is not set; name the file that the service writes."
        wrong = what_is_wrong(file, clock()) if file else unset
    if wrong:
        sys.stderr.write(wrong + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
