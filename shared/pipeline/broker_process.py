"""The broker's process: started so that it ends with ours, and found again when it did not."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from shared.observability.logs import log_of

_LOG: Final = log_of("broker")
_STOP_SECONDS: Final = 20.0
_STALE_STOP_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.05
_LSTART: Final = len("Mon Jan  1 00:00:00 2024")

# Linux alone can tell the kernel to stop a child whose parent is gone. It is told by a program that then becomes the
# broker, since code between fork and exec is not safe in a process with threads. Elsewhere the next start cleans up.
_LAUNCHER: Final = """
import os, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM
except (AttributeError, ImportError, OSError):
    pass
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


async def start_process(command: Sequence[str], folder: Path, output: Path) -> Process:
    """Return the command started in `folder`, its words appended to `output`.

    It has a session of its own, so that Ctrl-C reaches us alone and the stages can drain first, and none of our
    environment, which may hold passwords.
    """
    with output.open("ab") as words:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command),
            cwd=folder,
            env={"LC_ALL": "C.UTF-8"},
            stdin=DEVNULL,
            stdout=words,
            stderr=STDOUT,
            start_new_session=True,
        )


async def stop_process(process: Process) -> None:
    """Stop a process of ours, if it still runs: asked first, killed after 20 s."""
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


class PidFile:
    """Who the broker is, written down so that it is known again: its pid and when that process began.

    mark: a part of its command line that no other program has.
    """

    def __init__(self, path: Path, mark: str) -> None:
        self._path: Final = path
        self._mark: Final = mark

    def write(self, pid: int) -> None:
        """Note a process that has just been started."""
        began, _ = _identity(pid)
        self._path.write_text(json.dumps({"pid": pid, "began": began}))

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    async def stop_stale(self) -> None:
        """Stop the broker that a killed run left behind, if it is still there; no other process is touched."""
        pid = self._stale()
        if pid is not None:
            _LOG.warning("broker of a killed run found", pid=pid)
            await _stop_by_pid(pid, gone=lambda: self._stale() is None)
        self.remove()

    def _stale(self) -> int | None:
        try:
            noted = json.loads(self._path.read_text())
            pid, began = int(noted["pid"]), str(noted["began"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        found, command = _identity(pid)
        return pid if found == began and self._mark in command else None


async def _stop_by_pid(pid: int, gone: Callable[[], bool]) -> None:
    """Stop a process that is no child of ours: asked first, killed after 5 s."""
    for asked in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, asked)
        for _ in range(int(_STALE_STOP_SECONDS / _PAUSE_SECONDS)):
            if gone():
                return
            await asyncio.sleep(_PAUSE_SECONDS)


def _identity(pid: int) -> tuple[str, str]:
    """When the process began, in its system's own words, and its command line; empty when there is none."""
    if Path("/proc/self/stat").exists():
        return _identity_from_proc(Path(f"/proc/{pid}"))
    command = ("/bin/ps", "-ww", "-o", "lstart=", "-o", "command=", "-p", str(pid))
    told = subprocess.run(command, capture_output=True, text=True, check=False, env={"LC_ALL": "C"}).stdout
    return told[:_LSTART], told[_LSTART:]


def _identity_from_proc(process: Path) -> tuple[str, str]:
    try:
        # The name in field 2 may hold blanks and brackets: count from the last bracket. Field 22 is the start.
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        command = (process / "cmdline").read_bytes().decode(errors="surrogateescape")
    except OSError:
        return "", ""
    if fields[0] == "Z":  # it has ended; only its parent has not heard
        return "", ""
    return fields[19], command.replace("\0", " ")
