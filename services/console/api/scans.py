"""/api/v1/scans: how loads went, and go."""

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from services.console.api.models import FailureShown, Page, ScanShown
from services.console.api.parts import Cursor, Limit, ScanNumber, TheConnection, TheOffice
from services.console.api.problems import answers
from services.console.inventory import scans as asked
from services.console.office import Office
from services.console.shown import NoSuchScan, connected, scan_shown, scan_shown_of
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import ConnectionName

router = APIRouter(prefix="/scans", tags=["scans"])

_TICK_SECONDS: Final = 0.5
_FAILURES: Final = 1000


class ScanStatus(StrEnum):
    """How a scan stands."""

    RUNNING = "running"
    COMPLETE = "complete"
    PARTIAL = "partial"
    HELD = "held"
    FAILED = "failed"
    CANCELLED = "cancelled"


@router.get("", summary="List scans", responses=answers(400, 404, 422))
async def list_scans(
    office: TheOffice,
    registry: Annotated[ConnectionName | None, Query(description="Only of this connection.")] = None,
    status: Annotated[ScanStatus | None, Query(description="Only those that stand so.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ScanShown]:
    """Scans of all connected registries, or of one, the newest first."""
    known = connected(office)
    wanted = [office.registries.find(registry).registry] if registry else list(known)
    rows, following = await asked.scans_page(office.store, wanted, status.value if status else None, cursor, limit)
    return Page(items=[scan_shown(row, known[row["registry"]]) for row in rows], next=following)


@router.get("/{connection}/{scan}", summary="Show a scan", responses=answers(404, 422))
async def get_scan(office: TheOffice, connection: TheConnection, scan: ScanNumber) -> ScanShown:
    """One scan, with how far it has come."""
    return await scan_shown_of(office, connection, scan)


@router.get("/{connection}/{scan}/failures", summary="Show what a scan could not read", responses=answers(404, 422))
async def get_failures(office: TheOffice, connection: TheConnection, scan: ScanNumber) -> list[FailureShown]:
    """What was not read, and why; the first thousand. It is unknown, never taken for gone."""
    await scan_shown_of(office, connection, scan)
    rows = await asked.failures(office.store, connection.registry, scan, _FAILURES)
    return [FailureShown(**row) for row in rows]


@router.post("/{connection}/{scan}/cancel", status_code=204, summary="Cancel a scan", responses=answers(404, 409, 422))
async def cancel_scan(office: TheOffice, connection: TheConnection, scan: ScanNumber) -> None:
    """End a running scan now. What was completed stays."""
    await office.registries.cancel(connection, scan)


@router.get(
    "/{connection}/{scan}/progress",
    summary="Follow a scan",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "A ScanShown with every change"},
        **answers(404, 422),
    },
)
async def follow_scan(office: TheOffice, connection: TheConnection, scan: ScanNumber) -> StreamingResponse:
    """Server-sent events, each a scan as it stands then, until it has ended."""
    await scan_shown_of(office, connection, scan)
    return StreamingResponse(_progress(office, connection, scan), media_type="text/event-stream")


async def _progress(office: Office, connection: Connection, scan: int) -> AsyncIterator[str]:
    told = None
    while told is None or told.status == ScanStatus.RUNNING:
        try:
            now = await scan_shown_of(office, connection, scan)
        except NoSuchScan:  # purged meanwhile
            return
        if now != told:
            yield f"data: {now.model_dump_json()}\n\n"
            told = now
        await asyncio.sleep(_TICK_SECONDS)
