"""What a unit test may not use: sockets and child processes, refused by Python's own audit events, and `time.sleep`.

The socket pair of an event loop is made with the fixtures, before the test is called.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

_REFUSED: Final = frozenset(
    {
        *("socket.__new__", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"),
        *("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system"),
    }
)


class NotInAUnitTest(Exception):
    """The test, or what it tests, used what belongs in tests/integration, or a clock that was not passed in."""


@dataclass
class Isolation:
    """Refuses while a test runs.  refused: what the test tried, kept in case the code swallows the error."""

    is_on: bool = False
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        sys.addaudithook(self._audit)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Refuse inside the block, and fail at its end if something was refused."""
        self.is_on, sleep = True, time.sleep
        time.sleep = lambda _: self._refuse("time.sleep")  # Python 3.11 has no audit event for it
        try:
            yield
        finally:
            self.is_on, time.sleep = False, sleep
            refused, self.refused = self.refused, []
        if refused:
            raise NotInAUnitTest(", ".join(refused))

    def _audit(self, event: str, _: tuple[object, ...]) -> None:
        if self.is_on and event in _REFUSED:
            self._refuse(event)

    def _refuse(self, what: str) -> None:
        self.refused.append(what)
        raise NotInAUnitTest(what)
