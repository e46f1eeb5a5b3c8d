"""Every connection setting holds on real sockets, and every failure has httpx's class for it."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
import uvloop

from shared.registry.budget import Budget, WindowBudget
from shared.registry.grant import FixedGrant
from shared.registry.numbers import RegistryNumbers
from shared.registry.transport import Exchange, RegistryTransport, Request
from shared.registry.window import Slot
from shared.registry.wire.headers import Headers
from tests.fakes.hostile_registry import HostileRegistry, Reply, hostile_registry

MakeTransport = Callable[..., RegistryTransport]


@pytest.fixture
async def make_transport() -> AsyncIterator[MakeTransport]:
    async with made_transports() as make:
        yield make


@asynccontextmanager
async def made_transports() -> AsyncIterator[MakeTransport]:
    made: list[RegistryTransport] = []

    def make(
        connections: int = 10, kept: int = 10, expiry: float = 5, budget: Budget | None = None
    ) -> RegistryTransport:
        limits = httpx.Limits(max_keepalive_connections=kept, keepalive_expiry=expiry)
        budget = budget or WindowBudget(FixedGrant(1000, connections))
        made.append(RegistryTransport(limits, ssl.create_default_context(), budget, RegistryNumbers("test")))
        return made[-1]

    yield make
    for transport in made:
        await transport.aclose()


@dataclass(frozen=True)
class Got:
    """A whole answer."""

    status: int
    headers: Headers
    body: bytes


async def get(transport: RegistryTransport, url: str, **timeouts: float) -> Got:
    exchange = await ask(transport, Request("GET", httpx.URL(url), {}), **timeouts)
    try:
        body = b""
        while piece := await exchange.read():
            body += piece
    finally:
        exchange.close()
    return Got(exchange.status, exchange.headers, body)


async def ask(transport: RegistryTransport, request: Request, **timeouts: float) -> Exchange:
    seconds = {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0, **timeouts}
    return await transport.ask(request, httpx.Timeout(**seconds))  # type: ignore[arg-type]


async def test_an_answer_comes_with_status_headers_and_body(
    hostile: HostileRegistry, make_transport: MakeTransport
) -> None:
    hostile.scripts["/x"] = Reply(201, b"body", (("X-Twice", "1"), ("X-Twice", "2")))
    response = await get(make_transport(), hostile.url + "/x?last=a%2Fb")
    assert (response.status, response.body) == (201, b"body")
    assert response.headers.get_list("x-twice") == ["1", "2"]
    assert hostile.seen[0].query == {"last": ["a/b"]}


@pytest.mark.parametrize("kept", [0, 2, 4])
async def test_no_more_connections_are_open_than_max_connections(
    hostile: HostileRegistry, make_transport: MakeTransport, kept: int
) -> None:
    hostile.scripts["/x"] = Reply(wait_seconds=0.01)
    transport = make_transport(connections=4, kept=kept)
    await asyncio.gather(*(get(transport, hostile.url + "/x") for _ in range(60)))
    assert hostile.most_connections == 4
    assert len(hostile.seen) == 60


@pytest.mark.parametrize("kept", [0, 1, 3])
async def test_no_more_connections_are_left_idle_than_max_keepalive_connections(
    hostile: HostileRegistry, make_transport: MakeTransport, kept: int
) -> None:
    hostile.scripts["/x"] = Reply(wait_seconds=0.02)
    transport = make_transport(connections=8, kept=kept)
    for _ in range(3):
        await asyncio.gather(*(get(transport, hostile.url + "/x") for _ in range(8)))
        await asyncio.sleep(0.1)
        assert hostile.connections == kept


async def test_a_kept_connection_is_used_again(hostile: HostileRegistry, make_transport: MakeTransport) -> None:
    hostile.scripts["/x"] = Reply()
    transport = make_transport()
    for _ in range(5):
        await get(transport, hostile.url + "/x")
    assert hostile.made == 1


async def test_an_idle_connection_is_closed_after_the_keepalive_expiry(
    hostile: HostileRegistry, make_transport: MakeTransport
) -> None:
    hostile.scripts["/x"] = Reply()
    transport = make_transport(expiry=0.3)
    await get(transport, hostile.url + "/x")
    await asyncio.sleep(0.1)
    assert hostile.connections == 1
    await hostile.all_closed()


async def test_a_keepalive_expiry_of_zero_keeps_nothing(
    hostile: HostileRegistry, make_transport: MakeTransport
) -> None:
    hostile.scripts["/x"] = Reply()
    await get(make_transport(expiry=0), hostile.url + "/x")
    await asyncio.sleep(0.05)
    assert hostile.connections == 0


async def test_a_full_pool_is_a_pool_timeout(hostile: HostileRegistry, make_transport: MakeTransport) -> None:
    hostile.scripts["/x"] = Reply(wait_seconds=1)
    transport = make_transport(connections=1)
    first = asyncio.create_task(get(transport, hostile.url + "/x"))
    await asyncio.sleep(0.05)
    started = time.monotonic()
    with pytest.raises(httpx.PoolTimeout):
        await get(transport, hostile.url + "/x", pool=0.2)
    assert 0.2 <= time.monotonic() - started < 0.7
    assert (await first).status == 200


async def test_waiting_for_the_budget_is_no_timeout(hostile: HostileRegistry, make_transport: MakeTransport) -> None:
    hostile.scripts["/x"] = Reply()
    transport = make_transport(budget=WindowBudget(FixedGrant(2, 1)))
    short = {"connect": 0.2, "read": 0.2, "write": 0.2, "pool": 0.2}
    answers = await asyncio.gather(*(get(transport, hostile.url + "/x", **short) for _ in range(5)))
    assert [answer.status for answer in answers] == [200] * 5


async def test_a_handshake_that_does_not_come_to_an_end_is_a_connect_timeout(make_transport: MakeTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(httpx.ConnectTimeout):
            await get(make_transport(), f"https://127.0.0.1:{silent.getsockname()[1]}/x", connect=0.3)
        assert 0.3 <= time.monotonic() - started < 1.0


async def test_a_refused_connection_is_a_connect_error(make_transport: MakeTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(httpx.ConnectError):
        await get(make_transport(), f"http://127.0.0.1:{port}/x")


async def test_an_unknown_host_is_a_connect_error_caused_by_the_resolver(make_transport: MakeTransport) -> None:
    with pytest.raises(httpx.ConnectError) as caught:
        await get(make_transport(), "http://registry.invalid/x")
    assert isinstance(caught.value.__cause__, socket.gaierror)


@pytest.mark.parametrize("reply", [Reply(wait_seconds=2), Reply(body=b"12", drip_seconds=2)])
async def test_silence_is_a_read_timeout(hostile: HostileRegistry, make_transport: MakeTransport, reply: Reply) -> None:
    hostile.scripts["/x"] = reply
    started = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        await get(make_transport(), hostile.url + "/x", read=0.3)
    assert 0.3 <= time.monotonic() - started < 1.0


async def test_a_body_nobody_takes_is_a_write_timeout(make_transport: MakeTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/x"

        request = Request("POST", httpx.URL(url), {}, body=b"x" * 64 * 1024 * 1024)
        with pytest.raises(httpx.WriteTimeout):
            await ask(make_transport(), request, write=0.3)


@pytest.mark.parametrize("reply", [Reply(raw=b""), Reply(body=b"12345", cut=2), Reply(raw=b"SSH-2.0-hello\r\n\r\n")])
async def test_a_broken_answer_is_a_protocol_error(
    hostile: HostileRegistry, make_transport: MakeTransport, reply: Reply
) -> None:
    hostile.scripts["/x"] = reply
    with pytest.raises(httpx.RemoteProtocolError):
        await get(make_transport(), hostile.url + "/x")


async def test_a_body_that_is_not_read_gives_its_place_back(
    hostile: HostileRegistry, make_transport: MakeTransport
) -> None:
    hostile.scripts["/x"] = Reply(body=b"x" * 1_000_000)
    transport = make_transport(connections=1)
    for _ in range(3):
        (await ask(transport, Request("GET", httpx.URL(hostile.url + "/x"), {}))).close()
    await asyncio.sleep(0.05)
    assert hostile.connections == 0


class SlowToAdmit(WindowBudget):
    """Holds each request, its connection in hand, for a while."""

    def __init__(self, seconds: float) -> None:
        super().__init__(FixedGrant(1000, 1))
        self.seconds = seconds

    async def admit(self) -> Slot:
        await asyncio.sleep(self.seconds)
        return await super().admit()


async def test_waiting_for_the_window_is_no_timeout(hostile: HostileRegistry, make_transport: MakeTransport) -> None:
    hostile.scripts["/x"] = Reply()
    transport = make_transport(budget=SlowToAdmit(0.5))
    for _ in range(2):  # on a new connection, and on a kept one
        assert (await get(transport, hostile.url + "/x", connect=0.2, read=0.2, write=0.2)).status == 200


async def test_a_request_cancelled_while_the_window_holds_it_leaves_no_connection_open(
    hostile: HostileRegistry, make_transport: MakeTransport
) -> None:
    hostile.scripts["/x"] = Reply()
    budget = SlowToAdmit(0)
    transport = make_transport(budget=budget)
    await get(transport, hostile.url + "/x")
    budget.seconds = 60
    for _ in range(2):  # on the kept connection, then on a new one
        waiting = asyncio.create_task(get(transport, hostile.url + "/x"))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.sleep(0.05)
        assert hostile.connections == 0
    budget.seconds = 0
    assert (await get(transport, hostile.url + "/x")).status == 200
    assert len(hostile.seen) == 2


async def test_a_request_is_written_in_the_tick_in_which_the_window_admits_it(make_transport: MakeTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        arrived: list[int] = []

        class Watched(WindowBudget):
            async def admit(self) -> Slot:
                await asyncio.sleep(0.05)
                self.socket, _ = server.accept()  # connected already
                self.socket.setblocking(False)
                with pytest.raises(BlockingIOError):
                    self.socket.recv(1)  # and nothing written
                return await super().admit()

            def written(self, slot: Slot) -> None:
                arrived.append(len(self.socket.recv(65536)))
                self.socket.close()

        with pytest.raises(httpx.TransportError):
            await get(
                make_transport(budget=Watched(FixedGrant(10))),
                f"http://127.0.0.1:{server.getsockname()[1]}/x",
                connect=1,
            )
    assert arrived[0] > 0


async def test_cookies_are_not_kept(hostile: HostileRegistry, make_transport: MakeTransport) -> None:
    hostile.scripts["/x"] = Reply(headers=(("Set-Cookie", "sid=1; Path=/"),))
    transport = make_transport()
    await get(transport, hostile.url + "/x")
    await get(transport, hostile.url + "/x")
    assert "cookie" not in hostile.seen[1].headers


async def test_a_kept_connection_that_the_server_closed_is_no_failure(
    hostile: HostileRegistry, make_transport: MakeTransport
) -> None:
    hostile.scripts["/x"] = [Reply(), Reply(raw=b""), Reply()]
    transport = make_transport()
    for _ in range(2):
        assert (await get(transport, hostile.url + "/x")).status == 200


async def test_a_new_connection_that_is_closed_without_an_answer_is_asked_once(
    hostile: HostileRegistry, make_transport: MakeTransport
) -> None:
    hostile.scripts["/x"] = Reply(raw=b"")
    with pytest.raises(httpx.RemoteProtocolError):
        await get(make_transport(), hostile.url + "/x")
    assert (len(hostile.seen), hostile.made) == (1, 1)


@pytest.mark.parametrize(
    "story",
    [
        test_an_answer_comes_with_status_headers_and_body,
        test_a_kept_connection_that_the_server_closed_is_no_failure,
        test_a_body_that_is_not_read_gives_its_place_back,
        test_a_new_connection_that_is_closed_without_an_answer_is_asked_once,
        test_cookies_are_not_kept,
    ],
)
def test_it_works_on_the_loop_that_services_run_on(
    story: Callable[[HostileRegistry, MakeTransport], Awaitable[None]],
) -> None:
    """uvloop's transports are not asyncio's."""

    async def told() -> object:
        async with hostile_registry() as hostile, made_transports() as make:
            await story(hostile, make)
        return asyncio.get_running_loop()

    with ThreadPoolExecutor(1) as thread:  # the tests' own loop runs in this one
        assert isinstance(thread.submit(uvloop.run, told()).result(), uvloop.Loop)


def test_a_body_nobody_takes_is_a_write_timeout_there_too() -> None:
    async def told() -> object:
        async with made_transports() as make:
            await test_a_body_nobody_takes_is_a_write_timeout(make)
        return asyncio.get_running_loop()

    with ThreadPoolExecutor(1) as thread:
        assert isinstance(thread.submit(uvloop.run, told()).result(), uvloop.Loop)
