"""A unit test that opens a socket, starts a process or sleeps fails; one that waits for an hour ends at once."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.support.isolation import Isolation, NotInAUnitTest

_PLANTED: dict[str, Callable[[], object]] = {
    "socket.__new__": socket.socket,
    "socket.getaddrinfo": lambda: socket.getaddrinfo("127.0.0.1", 80),
    "subprocess.Popen": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
    "os.system": lambda: os.system("true"),
    "time.sleep": lambda: time.sleep(0.001),
}


@pytest.mark.parametrize("event", _PLANTED)
def test_what_belongs_elsewhere_is_refused(event: str, isolation: Isolation) -> None:
    with pytest.raises(NotInAUnitTest, match=event):
        _PLANTED[event]()
    assert isolation.refused == [event]
    isolation.refused.clear()


def swallowing() -> None:
    with suppress(NotInAUnitTest):
        time.sleep(0.001)


def test_what_was_refused_fails_the_test_though_the_code_swallowed_it(isolation: Isolation) -> None:
    isolation.is_on = False  # the inner one alone
    inner = Isolation()
    with pytest.raises(NotInAUnitTest, match=r"^time\.sleep$"), inner.guard():
        swallowing()


async def test_a_server_is_refused(isolation: Isolation) -> None:
    with pytest.raises(NotInAUnitTest):
        await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    assert "socket.getaddrinfo" in isolation.refused or "socket.__new__" in isolation.refused
    isolation.refused.clear()


async def test_the_event_loop_waits_in_virtual_time() -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    begun, began = loop.time(), os.times().elapsed
    loop.call_later(3600, done.set)
    await asyncio.wait_for(done.wait(), 4000)
    assert loop.time() - begun == pytest.approx(3600)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 86_400)
    assert os.times().elapsed - began < 60
