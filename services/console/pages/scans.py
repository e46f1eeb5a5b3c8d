"""Scans: the list, and one of them with what it could not read."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from services.console.api.inventory import Registry, asked_about
from services.console.api.parts import Cursor, ScanNumber, TheConnection, TheOffice
from services.console.api.scans import ScanStatus
from services.console.inventory.scans import failures, scans_page
from services.console.pages.rendering import page
from services.console.shown import scan_shown, scan_shown_of

router = APIRouter(prefix="/scans")

_ROWS = 50
_FAILURES = 500


@router.get("")
async def list_scans(
    request: Request,
    office: TheOffice,
    registry: Registry | Annotated[str, Query(max_length=0)] = None,
    status: ScanStatus | Annotated[str, Query(max_length=0)] | None = None,
    cursor: Cursor = None,
) -> Response:
    """A page of scans, the newest first."""
    about = asked_about(office, registry or None)
    rows, following = await scans_page(office.store, list(about), status or None, cursor, _ROWS)
    query = {name: value for name, value in (("registry", registry), ("status", status)) if value}
    return page(
        request,
        "scans.html",
        scans=[scan_shown(row, about[row["registry"]]) for row in rows],
        next=f"/scans?{urlencode({**query, 'cursor': following})}" if following else None,
        first=f"/scans?{urlencode(query)}" if cursor else None,
        chosen={"registry": registry, "status": status},
        statuses=[one.value for one in ScanStatus],
        registries=[connection.name for connection, _ in office.now.present()],
    )


@router.get("/{connection}/{scan}")
async def show(request: Request, office: TheOffice, connection: TheConnection, scan: ScanNumber) -> Response:
    """One scan."""
    return page(
        request,
        "scan.html",
        connection=connection,
        scan=await scan_shown_of(office, connection, scan),
        failures=await failures(office.store, connection.registry, scan, _FAILURES),
        most=_FAILURES,
    )
