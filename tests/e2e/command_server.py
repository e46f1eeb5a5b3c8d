"""Runs commands in forks of a process that has imported the command line: each starts in milliseconds, not in a second.

`python -m tests.e2e.command_server SOCKET` serves until its standard input closes. A client sends one line of JSON,
`{"words": […], "environment": {…}}`, with the descriptors of the command's three standard streams; it reads the
command's process id, and once the command has ended its exit code, a line each. Everything else is as in a process that
was started for the command: its arguments, environment, streams, signals and threads are its own.
"""

import asyncio
import atexit
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

import tallyman.cli
import tallyman.commands

_LINE_BYTES: Final = 1 << 20
_READY: Final = "ready\n"


class _Command(socketserver.StreamRequestHandler):
    """One command, in the fork that was made for it."""

    def handle(self) -> None:
        first, streams, _, _ = socket.recv_fds(self.request, 1, 3)
        command = json.loads(first + self.rfile.readline(_LINE_BYTES))
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        self._reply(os.getpid())
        os.environ.clear()
        os.environ.update(command["environment"])
        sys.argv = ["tallyman", *command["words"]]
        self._reply(_exit_code())

    def _reply(self, number: int) -> None:
        self.wfile.write(b"%d\n" % number)


def _exit_code() -> int:
    """Run the command line and return its exit code; an error ends the fork with a traceback."""
    code: object = 0
    try:
        tallyman.cli.main()
    except SystemExit as end:
        code = end.code
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    return code if isinstance(code, int) else int(code is not None)


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """A fork for each command."""

    max_children = 100


def _serve(path: str) -> None:
    for module in pkgutil.iter_modules(tallyman.commands.__path__, "tallyman.commands."):
        importlib.import_module(module.name)
    tasks = Path("/proc/self/task")
    assert not tasks.exists() or len(list(tasks.iterdir())) == 1, "a fork would lose the threads of this process"
    with _Server(path, _Command) as server:
        sys.stdout.write(_READY)
        sys.stdout.flush()
        while sys.stdin not in (ready := select.select([server, sys.stdin], [], [], 1.0)[0]):
            if ready:
                server.handle_request()
            server.service_actions()  # collects the forks that have ended


@cache
def _address() -> str:
    """Start the server of this test process, and return its socket."""
    folder = tempfile.TemporaryDirectory(prefix="tallyman-commands-")
    path = f"{folder.name}/socket"
    process = subprocess.Popen(
        (sys.executable, "-m", __name__, path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(_stop, process, folder)
    assert process.stdout is not None
    assert process.stdout.readline() == _READY
    return path


def _stop(process: "subprocess.Popen[str]", folder: "tempfile.TemporaryDirectory[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait()
    process.stdout.close()
    folder.cleanup()


async def run_command(
    words: tuple[str, ...], environment: Mapping[str, str], stdin: str, seconds: float
) -> tuple[int, str, str]:
    """Run `tallyman` with these words to its end; return its exit code, and what it wrote on stdout and stderr.

    seconds: after which it is killed.  Raises TimeoutError then.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(_address())
        line = json.dumps({"words": words, "environment": dict(environment)}).encode() + b"\n"
        socket.send_fds(connection, [line[:1]], [given.fileno(), out.fileno(), err.fileno()])
        connection.sendall(line[1:])
        code = await _ended(connection, seconds)
        return code, _text(out), _text(err)


async def _ended(connection: socket.socket, seconds: float) -> int:
    """Wait for a command's exit code, 1 where it ends without; one that nobody waits for any more is killed."""
    reader, writer = await asyncio.open_connection(sock=connection)
    process = 0
    code = b""
    try:
        async with asyncio.timeout(seconds):
            process = int(await reader.readline())
            code = await reader.readline()
    finally:
        if process and not code:
            os.kill(process, signal.SIGKILL)
        writer.close()
    return int(code or 1)


def _text(file: IO[Any]) -> str:
    file.seek(0)
    return str(file.read().decode())


if __name__ == "__main__":
    _serve(sys.argv[1])
