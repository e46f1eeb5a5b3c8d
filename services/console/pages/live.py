"""Progress of running scans: asked of the store once a tick, rendered once, sent to all who watch."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from services.console.api.models import ScanShown
from services.console.inventory.scans import last_scans
from services.console.office import Office
from services.console.pages.rendering import part
from services.console.shown import scan_shown
from shared.errors import TallymanError
from shared.messages.connection_changed import Connection
from shared.observability.logs import log_of

_LOG: Final = log_of("console")
_TICK_SECONDS: Final = 0.5
_QUEUED: Final = 4
_WATCHERS: Final = 500


@dataclass(eq=False)
class _Watcher:
    """queue: bounded; the oldest is dropped, since the newest says all. None ends it."""

    registry: str
    queue: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(_QUEUED))
    last: str = ""

    def offer(self, text: str | None) -> None:
        if text is not None and text == self.last:
            return
        self.last = text or ""
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(text)


@dataclass
class _Pace:
    """The numbers of a scan at the last tick, for its rate."""

    scan: int
    tags: int
    at: float
    rate: float = 0.0


class Live:
    """Who watches which registry; the store is asked only while somebody does."""

    def __init__(self, office: Office) -> None:
        self._office: Final = office
        self._watchers: Final[set[_Watcher]] = set()
        self._paces: Final[dict[str, _Pace]] = {}
        self._ticking: asyncio.Task[None] | None = None

    async def watch(self, socket: WebSocket, registry: str) -> None:
        """Send a registry's progress to a page until it goes away, or the process stops."""
        await socket.accept()
        if len(self._watchers) >= _WATCHERS:
            await socket.close(1013)
            return
        watcher = _Watcher(registry)
        self._watchers.add(watcher)
        self._start()
        gone = asyncio.create_task(_until_gone(socket))
        try:
            await self._send(socket, watcher, gone)
        finally:
            self._watchers.discard(watcher)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def stop(self) -> None:
        """Let all watchers go."""
        for watcher in list(self._watchers):
            watcher.offer(None)
        if self._ticking:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking

    def fragment(self, connection: Connection, scan: ScanShown | None) -> str:
        """Return the part of a page that shows how a registry's newest scan stands."""
        rate = self._rate(connection.registry, scan)
        return part("part_progress.html", connection=connection, scan=scan, rate=rate)

    async def _send(self, socket: WebSocket, watcher: _Watcher, gone: asyncio.Task[None]) -> None:
        while True:
            waiting = asyncio.create_task(watcher.queue.get())
            await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
                return
            text = waiting.result()
            if text is None:
                await socket.close(1001)
                return
            with suppress(WebSocketDisconnect, RuntimeError):
                await socket.send_text(text)

    def _start(self) -> None:
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick(), name="live progress")

    async def _tick(self) -> None:
        while self._watchers:
            try:
                await self._tell()
            except TallymanError as error:
                _LOG.warning("progress not read, trying again", why=error)
            await asyncio.sleep(_TICK_SECONDS)

    async def _tell(self) -> None:
        now = self._office.now
        watched = {watcher.registry for watcher in self._watchers}
        scans = await last_scans(self._office.store, watched, of_any_kind=True)
        for registry in watched:
            connection = now.connection(registry)
            if connection is None:
                continue
            row = scans.get(registry)
            text = self.fragment(connection, scan_shown(row, connection) if row else None)
            for watcher in self._watchers:
                if watcher.registry == registry:
                    watcher.offer(text)

    def _rate(self, registry: str, scan: ScanShown | None) -> float:
        """Return tags a second, smoothed over the last ticks; 0 where nothing runs."""
        if scan is None or scan.completed_at is not None:
            self._paces.pop(registry, None)
            return 0.0
        now, pace = asyncio.get_running_loop().time(), self._paces.get(registry)
        if pace is None or pace.scan != scan.scan_id:
            self._paces[registry] = _Pace(scan.scan_id, scan.tags, now)
            return 0.0
        if now - pace.at >= _TICK_SECONDS / 2:
            fresh = (scan.tags - pace.tags) / (now - pace.at)
            pace.rate = fresh if pace.rate == 0 else 0.7 * pace.rate + 0.3 * fresh
            pace.tags, pace.at = scan.tags, now
        return pace.rate


async def _until_gone(socket: WebSocket) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
