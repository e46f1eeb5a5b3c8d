"""Counts the requests a piece of work costs, tokens, redirects and retries included."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Meter:
    """requests: written to a registry, its token service or its storage so far."""

    requests: int = 0


_RUNNING: ContextVar[tuple[Meter, ...]] = ContextVar("running_meters", default=())


@contextmanager
def metered() -> Iterator[Meter]:
    """Count the requests made in this context, and in the tasks it creates, until the block ends."""
    meter = Meter()
    token = _RUNNING.set((*_RUNNING.get(), meter))
    try:
        yield meter
    finally:
        _RUNNING.reset(token)


def count_request() -> None:
    """Count one request on every meter of this context; meters nest."""
    for meter in _RUNNING.get():
        meter.requests += 1
