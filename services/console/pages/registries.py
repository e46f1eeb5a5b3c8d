"""Registries: the list, one of them, its form, its check, its deletion."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from services.console.api.parts import TheConnection, TheOffice
from services.console.inventory.numbers import growth, numbers
from services.console.inventory.scans import last_scans, scans_page
from services.console.office import Office
from services.console.pages.charts import bars_of, growth_of
from services.console.pages.checks import Checks
from services.console.pages.form import given_values, groups_of, read_form, shown_values
from services.console.pages.live import Live
from services.console.pages.rendering import page, redirect
from services.console.pages.start import DAYS
from services.console.shown import all_shown, budget_shown, one_shown, scan_shown
from services.scan_requests import Wanted
from shared.connections.rules import ConnectionInvalid, NameTaken, StaleEdit
from shared.errors import TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import cautions
from shared.messages.model import ScanKind

router = APIRouter(prefix="/registries")

_HISTORY = 15


@router.get("")
async def list_registries(request: Request, office: TheOffice) -> Response:
    """All connections with status and last scan."""
    found = await numbers(office.store, [c.registry for c, _ in office.now.present()], office.clock())
    counts = {registry: counted[2] for registry, counted in found.by_registry.items()}
    return page(request, "registries.html", registries=await all_shown(office), images=counts)


@router.get("/new")
async def new(request: Request) -> Response:
    """The form of a new connection."""
    return page(request, "form.html", **_form(None, shown_values(None), {}, {}))


@router.post("/new")
async def create(request: Request, office: TheOffice) -> Response:
    """Save a new connection, or show the form again with what is wrong."""
    form = await request.form()
    try:
        connection = await office.registries.create(read_form(form, is_new=True))
    except (ConnectionInvalid, NameTaken) as error:
        return page(request, "part_form.html", 422, **_form(None, given_values(form), _errors(error), {}))
    return redirect(request, f"/registries/{connection.registry}")


@router.post("/test")
async def test_new(request: Request, office: TheOffice) -> Response:
    """Begin the check of a connection that is not saved."""
    return await _test(request, office, None)


@router.get("/tests/{name}")
async def test_stages(request: Request, name: str) -> Response:
    """The stages of a check so far."""
    return page(request, "part_check.html", check=_checks(request).get(name), name=name)


@router.get("/{connection}")
async def show(request: Request, office: TheOffice, connection: TheConnection) -> Response:
    """One registry: its status, numbers, scans and settings."""
    registry = [connection.registry]
    found = await numbers(office.store, registry, office.clock())
    days = await growth(office.store, registry, office.clock(), DAYS)
    rows, _ = await scans_page(office.store, registry, None, None, _HISTORY)
    newest = (await last_scans(office.store, registry, of_any_kind=True)).get(connection.registry)
    live: Live = request.app.state.live
    return page(
        request,
        "registry.html",
        shown=await one_shown(office, connection),
        budget=budget_shown(office, connection),
        connection=connection,
        counts=found.by_registry[connection.registry],
        new_this_week=found.new_this_week,
        growth=growth_of(days),
        architectures=bars_of(list(found.by_architecture.items())),
        scans=[scan_shown(row, connection) for row in rows],
        held=await office.store.held_back(connection.registry),
        progress=live.fragment(connection, scan_shown(newest, connection) if newest else None),
        settings=groups_of(shown_values(connection), {}, {}, has_password=connection.password is not None),
    )


@router.get("/{connection}/edit")
async def edit(request: Request, connection: TheConnection) -> Response:
    """The form of a saved connection."""
    return page(request, "form.html", **_form(connection, shown_values(connection), {}, cautions(connection)))


@router.post("/{connection}/edit")
async def save(
    request: Request, office: TheOffice, connection: TheConnection, revision: Annotated[int, Form()]
) -> Response:
    """Save an edit, or show the form again with what is wrong."""
    form = await request.form()
    try:
        await office.registries.edit(connection.registry, revision, read_form(form, is_new=False))
    except (ConnectionInvalid, NameTaken, StaleEdit) as error:
        context = _form(connection, given_values(form), _errors(error), {}) | {"revision": revision}
        return page(request, "part_form.html", 422, **context)
    return redirect(request, f"/registries/{connection.registry}")


@router.post("/{connection}/test")
async def test_edited(request: Request, office: TheOffice, connection: TheConnection) -> Response:
    """Begin the check of an edit that is not saved."""
    return await _test(request, office, connection)


@router.post("/{connection}/status")
async def refresh(request: Request, office: TheOffice, connection: TheConnection) -> Response:
    """Check the saved connection, and show how it came out."""
    try:
        stages = await office.registries.refresh_status(connection)
    except TallymanError as error:
        return page(request, "part_notice.html", told=str(error), tone="bad")
    return page(request, "part_status.html", shown=await one_shown(office, connection), stages=stages)


@router.post("/{connection}/retry")
async def retry(request: Request, office: TheOffice, connection: TheConnection) -> Response:
    """Let a registry that rejected the sign-in be asked once more."""
    try:
        await office.registries.retry(connection)
    except TallymanError as error:
        return page(request, "part_notice.html", told=str(error), tone="bad")
    return redirect(request, f"/registries/{connection.registry}")


@router.post("/{connection}/scan")
async def scan(
    request: Request,
    office: TheOffice,
    connection: TheConnection,
    repository: Annotated[str, Form(max_length=1024)] = "",
) -> Response:
    """Ask for a scan: of all, or of one repository."""
    kind = ScanKind.REPOSITORY if repository.strip() else ScanKind.FULL
    wanted = Wanted(connection.registry, kind, repository.strip() or None)
    try:
        asked = await office.registries.scan(connection, wanted)
    except (TallymanError, ValueError) as error:
        return page(request, "part_notice.html", told=_told(error), tone="bad")
    told = f"Scan {asked.scan} is asked for; its progress shows below within a moment."
    return page(request, "part_notice.html", told=told, tone="good")


@router.post("/{connection}/confirm")
async def confirm(
    request: Request,
    office: TheOffice,
    connection: TheConnection,
    repository: Annotated[str, Form(max_length=1024)] = "",
) -> Response:
    """Let held removals through: of all repositories, or of one."""
    try:
        asked = await office.registries.confirm(connection, [repository] if repository else None)
    except TallymanError as error:
        return page(request, "part_notice.html", told=str(error), tone="bad")
    told = f"Confirmed: {len(asked)} {'repository is' if len(asked) == 1 else 'repositories are'} read once more."
    return page(request, "part_notice.html", told=told, tone="good")


@router.post("/{connection}/scans/{scan}/cancel")
async def cancel(request: Request, office: TheOffice, connection: TheConnection, scan: int) -> Response:
    """Cancel a running scan."""
    try:
        await office.registries.cancel(connection, scan)
    except TallymanError as error:
        return page(request, "part_notice.html", told=str(error), tone="bad")
    return page(request, "part_notice.html", told="The scan ends now. What was completed stays.", tone="good")


@router.get("/{connection}/delete")
async def ask_to_delete(request: Request, office: TheOffice, connection: TheConnection) -> Response:
    """What deleting means, and whether to do it."""
    found = await numbers(office.store, [connection.registry], office.clock())
    return page(request, "delete.html", connection=connection, counts=found.by_registry[connection.registry])


@router.post("/{connection}/delete")
async def delete(
    request: Request, office: TheOffice, connection: TheConnection, purge: Annotated[bool, Form()] = False
) -> Response:
    """Delete the connection; its history only where that was asked for."""
    await office.registries.remove(connection.registry, purge=purge)
    return redirect(request, "/registries")


async def _test(request: Request, office: Office, current: Connection | None) -> Response:
    form = await request.form()
    try:
        draft = read_form(form, is_new=current is None)
        connection, password = office.registries.drafted(draft, current)
    except ConnectionInvalid as error:
        return page(request, "part_check.html", check=None, name="", wrong=dict(error.fields), told=str(error))
    except TallymanError as error:
        return page(request, "part_check.html", check=None, name="", wrong={}, told=str(error))
    checks = _checks(request)
    name = checks.start(office.registries.check(connection, password))
    return page(request, "part_check.html", check=checks.get(name), name=name, warnings=cautions(connection))


def _checks(request: Request) -> Checks:
    state = request.app.state
    if not hasattr(state, "checks"):
        state.checks = Checks()
    checks: Checks = state.checks
    return checks


def _form(
    connection: Connection | None, values: dict[str, Any], errors: dict[str, str], warned: dict[str, str]
) -> dict[str, Any]:
    """Return what the form's template needs."""
    has_password = connection is not None and connection.password is not None
    known = {field for group in groups_of(values, {}, {}, has_password=has_password) for field in group.fields}
    names = {field.name for field in known}
    return {
        "connection": connection,
        "revision": connection.revision if connection else 0,
        "groups": groups_of(values, errors, warned, has_password=has_password),
        "errors": errors,
        "general": [told for field, told in errors.items() if field not in names],
    }


def _errors(error: TallymanError) -> dict[str, str]:
    """Return what is wrong by field."""
    if isinstance(error, NameTaken):
        return {"name": str(error)}
    if isinstance(error, ConnectionInvalid) and error.fields:
        return {field: told[0].upper() + told[1:] for field, told in error.fields.items()}
    return {"": str(error)}


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, TallymanError) else "This is no repository's name."
