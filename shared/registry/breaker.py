"""Whether a registry that does not answer is asked. Pure; times are given.

After so many failures in a row nothing is asked for a while; then one request tries, and what it meets decides. A short
outage is waited for; after half a minute requests fail at once, so that a scan of a dead registry comes to its end.
A rejected sign-in is another matter: nothing is asked any more, until the connection is saved again.
"""

from typing import Final

FAILURES: Final = 10
_FIRST_SECONDS: Final = 2.0
_MOST_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 30.0
_PROBE_SECONDS: Final = 180.0
"""A request that tries and of which nothing was heard for so long is forgotten: it was cancelled."""


class BreakerOpen(Exception):  # says what has happened
    """Nothing is asked now.  open_seconds: since when.  again_seconds: until it is tried."""

    def __init__(self, open_seconds: float, again_seconds: float) -> None:
        super().__init__("the breaker is open")
        self.open_seconds: Final = open_seconds
        self.again_seconds: Final = again_seconds


class Breaker:
    """Of one registry in one process.

    refused: the revision of the connection whose sign-in was rejected, 0 = none.
    Where several processes met failures one of them tries; the others, and those that only heard of it, follow it.
    """

    def __init__(self) -> None:
        self.refused = 0
        self._failures = 0
        self._heard = False
        self._follows = False
        self._opened_at: float | None = None
        self._tries_at = 0.0
        self._pause = _FIRST_SECONDS
        self._probe_since: float | None = None

    def succeeded(self) -> None:
        """The registry answered."""
        self._failures, self._opened_at, self._probe_since, self._pause = 0, None, None, _FIRST_SECONDS
        self._heard = False

    def failed(self, now: float) -> None:
        """It did not, or answered that it cannot."""
        self._failures += 1
        if self._opened_at is None and self._failures < FAILURES:
            return
        if self._opened_at is None:
            self._opened_at = now
        elif self._probe_since is None:
            return  # it was under way when the breaker opened
        else:
            self._pause = min(2 * self._pause, _MOST_SECONDS)
        self._probe_since, self._tries_at = None, now + self._pause

    def wait_seconds(self, now: float) -> float:
        """Return how long a request has to wait, 0 when it may go; then it is the one that tries, if it is open."""
        if self._opened_at is None:
            return 0.0
        if self._heard or self._follows:
            return _FIRST_SECONDS
        if self._probe_since is not None and now - self._probe_since < _PROBE_SECONDS:
            return _FIRST_SECONDS
        if now < self._tries_at:
            return self._tries_at - now
        self._probe_since = now
        return 0.0

    def check_patience(self, now: float) -> None:
        """Raise BreakerOpen where a request should fail rather than wait."""
        if self._opened_at is None or now - self._opened_at < _PATIENCE_SECONDS:
            return
        if self._heard or self._follows or self._probe_since is not None or now < self._tries_at:
            raise BreakerOpen(now - self._opened_at, max(0.0, self._tries_at - now))

    def hear(self, now: float, *, others: bool, leads: bool) -> None:
        """Told what other processes say.

        others: whether any says that it is broken.  leads: whether, of those that say so, this one is to try.
        """
        self._follows = others and not leads
        if others and self._opened_at is None:
            self._opened_at, self._heard = now, True
        elif not others and self._heard:
            self.succeeded()

    @property
    def is_broken(self) -> bool:
        """Whether this process itself met failures."""
        return self._opened_at is not None and not self._heard
