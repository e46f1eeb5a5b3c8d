"""Unit tests use no socket, no child process and no sleep; what an event loop waits for comes in virtual time."""

from collections.abc import Generator
from typing import Final

import pytest

from tests.support.isolation import Isolation
from tests.support.virtual_time import CLOCK

_ISOLATION: Final = Isolation()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    with _ISOLATION.guard(), CLOCK.virtual():
        return (yield)


@pytest.fixture
def isolation() -> Isolation:
    """What refuses, for the tests of it."""
    return _ISOLATION
