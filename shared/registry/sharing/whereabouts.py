"""Where a process runs, so that those beside it on the machine see that it has ended.

Linux only: elsewhere nothing is known.
Source: proc(5): boot_id, pid namespaces, and starttime, the 22nd field of /proc/PID/stat.
"""

import os
import time
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_AFTER_NAME: Final = 19
"""starttime's place after the command's name, which may hold anything, in brackets."""


def whereabouts() -> str:
    """Return this process's, empty where the system does not tell."""
    try:
        return _told(os.getpid())
    except (OSError, IndexError):
        return ""


def has_ended(process: str) -> bool:
    """Return whether a process surely has ended: it ran beside this one and is not there any more."""
    beside, _, own = process.rpartition(":")
    pid = own.partition("@")[0]
    try:
        if not pid.isdecimal() or beside != _beside():
            return False
        return _told(int(pid)) != process
    except (FileNotFoundError, ProcessLookupError):
        return True
    except (OSError, IndexError):
        return False


def boot_seconds() -> float:
    """Return seconds since the machine started, those in which it slept too where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _told(pid: int) -> str:
    started = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[_AFTER_NAME]
    return f"{_beside()}:{pid}@{started}"


def _beside() -> str:
    """Return what all processes that see each other have in common: the machine's start and their pid namespace."""
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{os.readlink(_PROC / 'self/ns/pid')}"
