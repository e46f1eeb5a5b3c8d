"""Rows and records as API and pages show them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from services.console.api.models import (
    BudgetShown,
    CheckedStage,
    CheckReport,
    ConnectionShown,
    ImageShown,
    ScanShown,
    Status,
    TagShown,
    connection_shown,
)
from services.console.inventory.scans import last_scans, one_scan
from services.console.office import Office
from services.console.status import status_of
from shared.errors import PermanentError
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import cautions
from shared.messages.connection_notes import StatusChecked
from shared.registry.checkup.result import StageChecked

Row = dict[str, Any]


class NoSuchScan(PermanentError):  # says what has happened
    """The registry has no scan of that number."""

    def __init__(self, name: str, scan: int) -> None:
        super().__init__(f"{name} has no scan {scan}.", reason="no_such_scan")


async def all_shown(office: Office) -> list[ConnectionShown]:
    """Return every connection with its last check and scan, by name."""
    present = [connection for connection, _ in office.now.present()]
    scans = await last_scans(office.store, [connection.registry for connection in present])
    return [_shown(office, connection, scans.get(connection.registry)) for connection in present]


async def one_shown(office: Office, connection: Connection) -> ConnectionShown:
    """Return a connection with its last check and scan."""
    scans = await last_scans(office.store, [connection.registry])
    return _shown(office, connection, scans.get(connection.registry))


async def scan_shown_of(office: Office, connection: Connection, scan: int) -> ScanShown:
    """Return one scan. Raises NoSuchScan."""
    row = await one_scan(office.store, connection.registry, scan)
    if row is None:
        raise NoSuchScan(connection.name, scan)
    return scan_shown(row, connection)


def scan_shown(row: Row, connection: Connection) -> ScanShown:
    facts = {name: row[name] for name in ScanShown.model_fields if name in row and name != "registry"}
    return ScanShown(**facts, registry=connection.name, registry_id=connection.registry, scan_id=row["scan"])


def status_shown(office: Office, connection: Connection) -> Status | None:
    """Return how the connection's last check came out, None where there was none."""
    note = office.now.note(StatusChecked, connection.registry)
    if note is None:
        return None
    return Status(
        health=note.health,
        stage=note.stage,
        told=note.told,
        checked_at=note.checked_at,
        is_current=note.revision == connection.revision,
    )


def budget_shown(office: Office, connection: Connection) -> BudgetShown:
    """Return how the registry stands with all that ask it."""
    state = office.budgets.state(connection)
    return BudgetShown(
        standing=state.standing,
        told=state.told,
        max_rps=state.max_rps,
        max_connections=state.max_connections,
        processes=state.processes,
    )


def image_shown(row: Row, registries: Mapping[str, Connection]) -> ImageShown:
    connection = registries[row["registry"]]
    facts = {name: row[name] for name in ImageShown.model_fields if name in row and name != "registry"}
    digest = "sha256:" + row["hex_digest"]
    return ImageShown(
        **{**facts, "digest": digest},
        registry=connection.name,
        registry_id=connection.registry,
        reference=reference(connection, row["repository"], digest),
    )


def tag_shown(row: Row, registries: Mapping[str, Connection]) -> TagShown:
    connection = registries[row["registry"]]
    return TagShown(
        registry=connection.name,
        registry_id=connection.registry,
        repository=row["repository"],
        tag=row["tag"],
        digest="sha256:" + row["hex_digest"],
        kind=row["kind"],
        changed_at=row["changed_at"],
    )


def reference(connection: Connection, repository: str, digest: str) -> str:
    """Return what to pull."""
    parts = urlsplit(connection.host)
    return f"{parts.netloc}{parts.path}/{repository}@{digest}"


def report(connection: Connection, stages: tuple[StageChecked, ...], office: Office) -> CheckReport:
    """Return a check as it is shown."""
    health = status_of(connection, stages, office.clock()).health
    return CheckReport(health=health, stages=[stage_shown(stage) for stage in stages])


def stage_shown(stage: StageChecked) -> CheckedStage:
    return CheckedStage(
        stage=stage.stage,
        title=stage.title,
        outcome=stage.outcome,
        told=stage.told,
        seconds=stage.seconds,
        facts=list(stage.facts),
    )


def connected(office: Office) -> dict[str, Connection]:
    """Return the connections by the registries' ids."""
    return {connection.registry: connection for connection, _ in office.now.present()}


def _shown(office: Office, connection: Connection, scan: Row | None) -> ConnectionShown:
    last = scan_shown(scan, connection) if scan else None
    return connection_shown(connection, cautions(connection), status_shown(office, connection), last)
