"""An answer as bytes come in: whole in whatever pieces, and a clear end for what is no answer."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from shared.registry.wire.head import request_head
from shared.registry.wire.reply import Reply

OK = b"HTTP/1.1 200 OK\r\n"


async def read(reply: Reply) -> bytes:
    await reply.head()
    body = b""
    while piece := await reply.read():
        body += piece
    return body


def a_reply(*pieces: bytes, of_head: bool = False, silence: float | None = None) -> Reply:
    reply = Reply(of_head=of_head, silence=silence, pause=lambda _: None)
    for piece in pieces:
        reply.feed(piece)
    return reply


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 4\r\n\r\nbody",
        OK
        + b"Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n3;x=y\r\node\r\n0\r\nTrailer: t\r\n\r\n".replace(
            b"ode", b"ody"
        ),
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 4\r\n\r\nbody",
    ],
)
async def test_an_answer_is_read_whole_in_whatever_pieces(answer: bytes, size: int) -> None:
    reply = a_reply(*(answer[at : at + size] for at in range(0, len(answer), size)))
    assert (await read(reply), reply.status, reply.keeps) == (b"body", 200, True)


async def test_headers_are_told_by_name_in_any_case_and_line_by_line() -> None:
    reply = a_reply(OK + b"LINK: <a>\r\nLink: <b>\r\nX: \xc3\xa4\r\nY: \xe4\r\nContent-Length: 0\r\n\r\n")
    await reply.head()
    assert reply.headers["link"] == "<a>, <b>"
    assert reply.headers.get_list("Link") == ["<a>", "<b>"]
    assert (reply.headers["x"], reply.headers["y"]) == ("ä", "ä")


@pytest.mark.parametrize("status", [204, 304])
async def test_these_have_no_body(status: int) -> None:
    reply = a_reply(f"HTTP/1.1 {status} x\r\nETag: y\r\n\r\n".encode())
    assert (await read(reply), reply.keeps) == (b"", True)


async def test_a_head_has_none_whatever_length_it_tells() -> None:
    reply = a_reply(OK + b"Content-Length: 4\r\n\r\n", of_head=True)
    assert (await read(reply), reply.keeps) == (b"", True)


async def test_what_comes_after_the_end_spoils_the_connection_and_not_the_answer() -> None:
    for more in (OK + b"Content-Length: 0\r\n\r\n", b"rubbish"):
        reply = a_reply(OK + b"Content-Length: 4\r\n\r\nbody" + more)
        assert (await read(reply), reply.keeps) == (b"body", False)
    reply = a_reply(OK + b"Content-Length: 4\r\n\r\nbody", of_head=True)
    assert (await read(reply), reply.keeps) == (b"", False)


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    reply = a_reply(OK + b"\r\nbo", b"dy")
    reply.ended(None)
    assert (await read(reply), reply.keeps) == (b"body", False)


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [OK],
        [OK + b"Content-Length: 5\r\n\r\nbody"],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n"],
    ],
)
async def test_one_that_breaks_off_is_never_taken_for_whole(pieces: Sequence[bytes]) -> None:
    for error in (None, ConnectionResetError()):
        reply = a_reply(*pieces)
        reply.ended(error)
        with pytest.raises(httpx.RemoteProtocolError):
            await read(reply)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"\x16\x03\x01\x02",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
        OK + b"Content-Length: -2\r\n\r\nhi",
        OK + b"Content-Length: 2\r\n folded\r\n\r\nhi",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"Bad\x00Name: 1\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nPRI",
        OK + b"X: " + b"x" * 70_000,
        OK + b"X: y\r\n" * 20_000,
    ],
    ids=range(11),
)
async def test_what_is_no_answer_is_a_protocol_error(answer: bytes) -> None:
    reply = a_reply(*(answer[at : at + 4096] for at in range(0, len(answer), 4096)))
    with pytest.raises(httpx.RemoteProtocolError):
        await read(reply)
    assert not reply.keeps


async def test_each_piece_begins_the_wait_anew() -> None:
    reply = a_reply(OK + b"Content-Length: 3\r\n\r\n", silence=0.3)
    for _ in range(3):
        await asyncio.sleep(0.2)
        reply.feed(b"x")
    assert await read(reply) == b"xxx"
    silent = a_reply(OK, silence=0.05)
    with pytest.raises(httpx.ReadTimeout):
        await silent.head()


async def test_a_flood_is_held_back_until_it_is_read() -> None:
    paused: list[bool] = []
    reply = Reply(of_head=False, silence=0.05, pause=paused.append)
    reply.feed(OK + b"Content-Length: 1000000\r\n\r\n")
    for _ in range(5):
        reply.feed(b"x" * 100_000)
    assert paused[0] is True
    await asyncio.sleep(0.15)  # who does not read must not take the other side for silent
    assert len(await reply.read()) == 500_000
    assert paused[-1] is False


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "ä", "\x00"])
def test_no_header_can_smuggle_in_another(value: str) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        request_head("GET", httpx.URL("http://registry.test/v2/"), {"Authorization": value}, None)


def test_the_head_names_the_host_and_the_raw_path() -> None:
    url = httpx.URL("https://user:secret@registry.test:443/v2/a%2Fb/tags/list?last=x%26y#part")
    head = request_head("POST", url, {"Accept": "x"}, b"12")
    assert head == (
        b"POST /v2/a%2Fb/tags/list?last=x%26y HTTP/1.1\r\nHost: registry.test\r\nAccept: x\r\nContent-Length: 2\r\n\r\n"
    )
