"""How often somebody may try a password: few times a minute from one address, and not much more from all."""

from collections import deque
from collections.abc import Callable
from typing import Final

FAILURES: Final = 5
FAILURES_OF_ALL: Final = 50
SECONDS: Final = 60.0
_ADDRESSES: Final = 10_000


class Attempts:
    """The failed sign-ins of the last minute, in this process.  clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock: Final = clock
        self._of_all: Final[deque[float]] = deque()
        self._by_address: Final[dict[str, deque[float]]] = {}

    def wait_seconds(self, address: str) -> float:
        """Return how long this address has to wait before its next try, 0 = not at all."""
        now = self._clock()
        return max(
            _wait(self._of_all, FAILURES_OF_ALL, now), _wait(self._by_address.get(address, deque()), FAILURES, now)
        )

    def failed(self, address: str) -> None:
        """Count a failed try."""
        now = self._clock()
        self._of_all.append(now)
        self._by_address.setdefault(address, deque()).append(now)
        if len(self._by_address) > _ADDRESSES:
            self._by_address.pop(next(iter(self._by_address)))

    def succeeded(self, address: str) -> None:
        """Forget the address's failures; the last try, counted before its outcome was known, was none."""
        self._by_address.pop(address, None)
        if self._of_all:
            self._of_all.pop()


def _wait(failures: deque[float], most: int, now: float) -> float:
    while failures and failures[0] <= now - SECONDS:
        failures.popleft()
    return max(0.0, failures[-most] + SECONDS - now) if len(failures) >= most else 0.0
