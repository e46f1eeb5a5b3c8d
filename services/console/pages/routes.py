"""All pages' routes."""

from fastapi import APIRouter, WebSocket

from services.console.pages import dead_letters, docs, images, registries, scans, sign_in, start
from services.console.pages.live import Live
from shared.messages.model import RegistryId

router = APIRouter(include_in_schema=False)
for room in (start, sign_in, registries, images, scans, dead_letters, docs):
    router.include_router(room.router)


@router.websocket("/live/{registry}")
async def live(socket: WebSocket, registry: RegistryId) -> None:
    """Send the progress of a registry's newest scan, as a part of a page."""
    watched: Live = socket.app.state.live
    await watched.watch(socket, registry)
