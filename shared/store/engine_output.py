"""What the embedded engine itself writes: it goes to a log, not to the person's terminal."""

import fcntl
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_STREAMS: Final = (1, 2)
_ALONE: Final = threading.Lock()
"""Standard output and error are the process's: two that put them aside would put them back in the wrong order."""


@contextmanager
def written_to(log: Path) -> Iterator[None]:
    """Append to a file what this process writes to standard output and error, native code too, until the block ends.

    Raises OSError when the file cannot be written.
    """
    with _ALONE:
        _flush()
        file = _opened(log)
        kept = {stream: _duplicate(stream) for stream in _STREAMS}
        try:
            for stream in _STREAMS:
                os.dup2(file, stream)
            yield
        finally:
            _flush()
            for stream, duplicate in kept.items():
                _put_back(stream, duplicate)
            os.close(file)


def _flush() -> None:
    """Write what Python still holds to where it belongs. A program without a terminal may have no streams."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _opened(log: Path) -> int:
    lowest = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return _beyond_streams(lowest)
    finally:
        os.close(lowest)


def _duplicate(stream: int) -> int | None:
    try:
        return _beyond_streams(stream)
    except OSError:  # closed, as under some supervisors
        return None


def _beyond_streams(descriptor: int) -> int:
    """Return a duplicate that takes the place of no stream, closed as that may be."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


def _put_back(stream: int, duplicate: int | None) -> None:
    if duplicate is None:
        os.close(stream)
    else:
        os.dup2(duplicate, stream)
        os.close(duplicate)
