"""/api/v1/connections: the registries that are connected."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.console.api.models import (
    BudgetShown,
    CheckReport,
    ConnectionChanges,
    ConnectionDraft,
    ConnectionShown,
    HeldConfirmed,
    HeldShown,
    HookSecret,
    ScanAskedFor,
    ScanWanted,
    Status,
)
from services.console.api.parts import TheConnection, TheOffice, TheRevision, etag
from services.console.api.problems import answers
from services.console.shown import all_shown, budget_shown, one_shown, report, status_shown
from services.scan_requests import Wanted
from shared.messages.model import ScanKind

router = APIRouter(prefix="/connections", tags=["connections"])


@router.get("", summary="List the connections")
async def list_connections(office: TheOffice) -> list[ConnectionShown]:
    """All connections, by name, each with its last check and its last full scan."""
    return await all_shown(office)


@router.post("", status_code=201, summary="Connect a registry", responses=answers(409, 422))
async def create_connection(office: TheOffice, draft: ConnectionDraft, response: Response) -> ConnectionShown:
    """Save a new connection. Nothing is asked of the registry yet."""
    connection = await office.registries.create(draft.draft())
    response.headers.update({**etag(connection), "location": f"/api/v1/connections/{connection.registry}"})
    return await one_shown(office, connection)


@router.post("/test", summary="Test a connection before it is saved", responses=answers(409, 422))
async def test_draft(office: TheOffice, draft: ConnectionDraft) -> CheckReport:
    """Try a connection stage by stage: address, TLS, registry API, sign-in, lists, a manifest. Nothing is changed."""
    connection, password = office.registries.drafted(draft.draft(), None)
    stages = tuple([stage async for stage in office.registries.check(connection, password)])
    return report(connection, stages, office)


@router.get("/{connection}", summary="Show a connection", responses=answers(404, 422))
async def get_connection(office: TheOffice, connection: TheConnection, response: Response) -> ConnectionShown:
    """One connection. Its ETag is the revision that an edit has to name."""
    response.headers.update(etag(connection))
    return await one_shown(office, connection)


@router.patch("/{connection}", summary="Edit a connection", responses=answers(404, 409, 412, 422, 428))
async def edit_connection(
    office: TheOffice, connection: TheConnection, revision: TheRevision, changes: ConnectionChanges, response: Response
) -> ConnectionShown:
    """Change what is given and keep the rest. If-Match names the revision that was seen; a stale one is refused."""
    edited = await office.registries.edit(connection.registry, revision, changes.draft())
    response.headers.update(etag(edited))
    return await one_shown(office, edited)


@router.delete("/{connection}", status_code=204, summary="Delete a connection", responses=answers(404, 422))
async def delete_connection(
    office: TheOffice,
    connection: TheConnection,
    purge: Annotated[bool, Query(description="Delete its history too, for good.")] = False,
) -> None:
    """Delete the connection and stop its scans. Its history stays and can be queried, unless it is purged."""
    await office.registries.remove(connection.registry, purge=purge)


@router.get("/{connection}/status", summary="Show how the last check came out", responses=answers(404, 422))
async def get_status(office: TheOffice, connection: TheConnection) -> Status | None:
    """The last check's outcome, when, and why; null where there was none."""
    return status_shown(office, connection)


@router.get("/{connection}/budget", summary="Show what it may be asked now", responses=answers(404, 422))
async def get_budget(office: TheOffice, connection: TheConnection) -> BudgetShown:
    """How the registry stands with all processes that ask it: its limits now, and why they are lowered."""
    return budget_shown(office, connection)


@router.post("/{connection}/retry", summary="Ask it once more", responses=answers(404, 409, 422))
async def retry(office: TheOffice, connection: TheConnection) -> BudgetShown:
    """Let a registry that rejected the sign-in be asked once more with what is saved; its revision is raised."""
    return budget_shown(office, await office.registries.retry(connection))


@router.post("/{connection}/test", summary="Refresh the status", responses=answers(404, 409, 422))
async def refresh_status(office: TheOffice, connection: TheConnection) -> CheckReport:
    """Try the saved connection stage by stage, and keep the outcome as its status."""
    return report(connection, await office.registries.refresh_status(connection), office)


@router.post(
    "/{connection}/hook-secret", status_code=201, summary="Make a secret for its webhooks", responses=answers(404, 422)
)
async def make_hook_secret(office: TheOffice, connection: TheConnection) -> HookSecret:
    """Make what the registry's webhooks are to be signed with. It is kept encrypted, and shown in this answer only."""
    return HookSecret(secret=(await office.registries.new_hook_secret(connection)).get_secret_value())


@router.post("/{connection}/scans", status_code=202, summary="Load it", responses=answers(404, 409, 422))
async def start_scan(office: TheOffice, connection: TheConnection, wanted: ScanWanted) -> ScanAskedFor:
    """Ask for a scan of the registry or of one repository. One that runs already is not doubled (409)."""
    kind = ScanKind.REPOSITORY if wanted.repository else ScanKind.FULL
    asked = await office.registries.scan(
        connection, Wanted(connection.registry, kind, wanted.repository, confirmed=wanted.confirmed)
    )
    return ScanAskedFor(registry=connection.name, registry_id=connection.registry, scan_id=asked.scan)


@router.get("/{connection}/held", summary="Show what waits to be confirmed", responses=answers(404, 422))
async def list_held(office: TheOffice, connection: TheConnection) -> list[HeldShown]:
    """Removals too many to be believed. They are held back, and nobody is told of them, until a person confirms."""
    return [
        HeldShown(repository=one.repository, scan_id=one.scan, detail=one.detail, at=one.at)
        for one in await office.store.held_back(connection.registry)
    ]


@router.post(
    "/{connection}/held/confirm", status_code=202, summary="Confirm removals", responses=answers(404, 409, 422)
)
async def confirm_held(office: TheOffice, connection: TheConnection, wanted: HeldConfirmed) -> list[ScanAskedFor]:
    """Let held removals through: each repository is scanned once more, and believed whatever it says."""
    asked = await office.registries.confirm(connection, wanted.repositories)
    return [ScanAskedFor(registry=connection.name, registry_id=connection.registry, scan_id=one.scan) for one in asked]
