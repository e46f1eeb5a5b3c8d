"""The inner side of a running service's door: HTTP on a Unix socket in the data folder.

Only the user whom the folder belongs to can come in, and is the owner there: the whole API, and read-only SQL.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

from fastapi import APIRouter, Body, Request
from fastapi.responses import StreamingResponse

from services.console.application import unguarded
from services.console.doors.guard import App, Receive, Scope, Send
from services.console.doors.principals import OWNER
from services.console.office import Office
from services.console.serving import serving_at
from shared.errors import TallymanError
from shared.store.store import Store
from tallyman.door import SOCKET
from tallyman.output import plain

router = APIRouter(prefix="/door", include_in_schema=False)
_ROWS_A_WRITE: Final = 500


def owners_application(office: Office) -> App:
    """Return the API for who owns the data folder: nobody has to sign in."""
    application = unguarded(office)
    application.include_router(router)

    async def as_owner(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["principal"] = OWNER
        await application(scope, receive, send)

    return as_owner


@asynccontextmanager
async def open_door(office: Office) -> AsyncIterator[None]:
    """Serve the door while the block runs."""
    async with serving_at(owners_application(office), office.settings.data / SOCKET):
        yield


@router.get("/status")
async def status(request: Request) -> dict[str, str]:
    """Where the broker is."""
    office: Office = request.app.state.office
    return {"kafka": office.settings.kafka or ""}


@router.post("/select")
async def select(request: Request, sql: Annotated[str, Body(embed=True)]) -> StreamingResponse:
    """Answer a read-only statement as JSON lines: the columns, then each row, then {"end": rows} or {"error": …}."""
    office: Office = request.app.state.office
    return StreamingResponse(_lines(office.store, sql), media_type="application/x-ndjson")


async def _lines(store: Store, sql: str) -> AsyncIterator[str]:
    count, lines = 0, []
    try:
        async with store.select(sql) as selection:
            lines.append(json.dumps({"columns": selection.columns}))
            async for row in selection.rows:
                lines.append(json.dumps([plain(value) for value in row]))
                count += 1
                if len(lines) >= _ROWS_A_WRITE:
                    yield "\n".join(lines) + "\n"
                    lines.clear()
        lines.append(json.dumps({"end": count}))
    except TallymanError as error:
        lines.append(json.dumps({"error": str(error), "reason": error.reason}))
    yield "\n".join(lines) + "\n"
