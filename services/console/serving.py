"""The console served in our own event loop: by TCP to browsers and scripts, by a Unix socket to the owner."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import uvicorn

from services.console.doors.guard import App
from shared.errors import SettingsError
from shared.settings import Settings

_STOP_SECONDS: Final = 5.0
_LOOPBACK_NAMES: Final = ("localhost",)


@dataclass(frozen=True)
class Address:
    """Where the console listens.  url: to be opened in a browser.  hosts: values of Host that lead there."""

    host: str
    port: int
    url: str
    hosts: tuple[str, ...]


def address_of(settings: Settings) -> Address:
    """Return where the console listens. Raises SettingsError off loopback without TLS or a trusted proxy."""
    host, _, digits = settings.console.rpartition(":")
    host, port = host.strip("[]"), int(digits)
    if port >= 65536:
        raise SettingsError(f"TALLYMAN_CONSOLE: there is no port {port}.")
    port = port or _free_port(host)
    has_tls = settings.console_tls_certificate is not None
    if not _is_loopback(host) and not has_tls and settings.console_trusted_proxy is None:
        raise SettingsError(
            f"TALLYMAN_CONSOLE: {settings.console} can be reached from other machines, where passwords would go in the "
            "clear: set TALLYMAN_CONSOLE_TLS_CERTIFICATE and TALLYMAN_CONSOLE_TLS_KEY, or name the proxy that does the "
            "TLS in TALLYMAN_CONSOLE_TRUSTED_PROXY, or listen on 127.0.0.1."
        )
    return Address(host, port, _url(host, port, has_tls=has_tls), _hosts(settings, host, port, has_tls=has_tls))


@asynccontextmanager
async def serving(application: App, settings: Settings, address: Address) -> AsyncIterator[None]:
    """Serve while the block runs. Raises SettingsError where the address is taken."""
    config = uvicorn.Config(
        application,
        host=address.host,
        port=address.port,
        ssl_certfile=settings.console_tls_certificate,
        ssl_keyfile=settings.console_tls_key,
        proxy_headers=settings.console_trusted_proxy is not None,
        forwarded_allow_ips=settings.console_trusted_proxy,
        **_QUIET,
    )
    async with _running(config, f"TALLYMAN_CONSOLE: cannot listen at {address.host}:{address.port}"):
        yield


@asynccontextmanager
async def serving_at(application: App, path: Path) -> AsyncIterator[None]:
    """Serve at a Unix socket that only its owner can open, while the block runs."""
    listening = _private_socket(path)
    try:
        async with _running(uvicorn.Config(application, **_QUIET), f"cannot listen at {path}", [listening]):
            yield
    finally:
        listening.close()
        _remove(path)


_QUIET: Final[dict[str, Any]] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "date_header": True,
    "lifespan": "on",
    "ws_max_size": 65536,
    "timeout_graceful_shutdown": 3,
}


def _private_socket(path: Path) -> socket.socket:
    """Return a socket at the path that nobody but its owner could open at any moment."""
    _remove(path)  # of a run that was killed; the data folder's lock is ours
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(str(path))
    finally:
        os.umask(before)
    return made


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """A server that leaves the process's signals alone, and tells when it has begun to listen."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens: Final = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _running(
    config: uvicorn.Config, trouble: str, sockets: list[socket.socket] | None = None
) -> AsyncIterator[None]:
    server = _Server(config)
    serving = asyncio.create_task(_served(server, trouble, sockets), name="console")
    try:
        listens = asyncio.create_task(server.listens.wait())
        await asyncio.wait((listens, serving), return_when=asyncio.FIRST_COMPLETED)
        listens.cancel()
        if serving.done():
            serving.result()
        yield
    finally:
        server.should_exit = True
        await asyncio.wait((serving,), timeout=_STOP_SECONDS)


async def _served(server: _Server, trouble: str, sockets: list[socket.socket] | None) -> None:
    try:
        await server.serve(sockets)
    except SystemExit as error:  # uvicorn's way to say that it cannot listen
        raise SettingsError(
            f"{trouble}: the address is taken, or not this machine's. Choose another with TALLYMAN_CONSOLE or --listen."
        ) from error


def _free_port(host: str) -> int:
    """Return a port that nobody listens at now; it stands in the addresses that are ours, so it is chosen before."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as free:
        free.bind((host, 0))
        return int(free.getsockname()[1])


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in _LOOPBACK_NAMES


def _url(host: str, port: int, *, has_tls: bool) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if has_tls else 'http'}://{shown}:{port}/"


def _hosts(settings: Settings, host: str, port: int, *, has_tls: bool) -> tuple[str, ...]:
    names = ["127.0.0.1", "localhost", "[::1]"] if _is_loopback(host) else [f"[{host}]" if ":" in host else host]
    default = 443 if has_tls else 80
    own = [f"{name}:{port}" for name in names] + (names if port == default else [])
    given = [name.strip() for name in settings.console_hosts.split(",") if name.strip()]
    return (*own, *given)
