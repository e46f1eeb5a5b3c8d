"""Whether the process lives, whether it can work, and its numbers, for whoever watches it. Open to all."""

from statistics import median
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from services.console.api.parts import TheOffice
from services.console.office import Office
from services.sweeps import SWEEPS_READ, stretch
from shared.errors import TallymanError
from shared.messages.connection_notes import HookSecretSet
from shared.registry.sharing.state import Standing

_WAITS_READ: Final = 100

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """200 while the event loop turns."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(office: TheOffice) -> JSONResponse:
    """200 once the connections are read and the store answers, else 503 and what is missing."""
    try:
        await office.connections.seen(-1)
        await office.store.query("SELECT 1")
    except TallymanError as error:
        return JSONResponse({"status": "waiting", "reason": error.reason}, 503)
    return JSONResponse({"status": "ok"})


@router.get("/metrics")
async def metrics(office: TheOffice) -> Response:
    """Return this process's numbers, as Prometheus reads them."""
    numbers = CollectorRegistry()
    _tell_stages(office, numbers)
    _tell_budgets(office, numbers)
    await _tell_hooks(office, numbers)
    return Response(generate_latest(numbers), media_type=CONTENT_TYPE_LATEST)


async def _tell_hooks(office: Office, numbers: CollectorRegistry) -> None:
    """Tell, of registries with webhooks, how complete these are, and how long they wait; nothing without a store."""
    drift = Gauge(
        "tallyman_hook_drift",
        "Moves of tags that the last full load found and no webhook had told.",
        ["registry"],
        registry=numbers,
    )
    apart = Gauge(
        "tallyman_sweep_intervals",
        "Intervals between two full loads: more than one while webhooks prove complete.",
        ["registry"],
        registry=numbers,
    )
    waits = Gauge(
        "tallyman_hook_wait_seconds",
        "Of the last reads that webhooks led to: from being taken to its end. A full load meanwhile makes it longer.",
        ["registry", "of"],
        registry=numbers,
    )
    for connection, _ in office.now.present():
        if office.now.note(HookSecretSet, connection.registry) is None:
            continue
        try:
            sweeps = await office.store.sweeps(connection.registry, SWEEPS_READ)
            waited = await office.store.hook_waits(connection.registry, _WAITS_READ)
        except TallymanError:
            return
        if waited:
            waits.labels(connection.name, "median").set(median(waited))
            waits.labels(connection.name, "longest").set(max(waited))
        drift.labels(connection.name).set(sweeps[0].changes if sweeps else 0)
        apart.labels(connection.name).set(stretch(sweeps))


def _tell_budgets(office: Office, numbers: CollectorRegistry) -> None:
    """Tell of each registry what it may be asked, over all processes, and how it stands."""
    rps = Gauge(
        "tallyman_registry_max_rps",
        "Requests a second: as the connection allows, and as the registry lets us now.",
        ["registry", "of"],
        registry=numbers,
    )
    connections = Gauge(
        "tallyman_registry_max_connections",
        "Connections: as the connection allows, and as the registry lets us now.",
        ["registry", "of"],
        registry=numbers,
    )
    standing = Gauge(
        "tallyman_registry_standing",
        "1 for how the registry stands: idle, full, lowered, paused, broken (breaker open) or refused (sign-in).",
        ["registry", "standing"],
        registry=numbers,
    )
    for connection, _ in office.now.present():
        state = office.budgets.state(connection)
        rps.labels(connection.name, "allowed").set(connection.max_rps)
        rps.labels(connection.name, "now").set(state.max_rps)
        connections.labels(connection.name, "allowed").set(connection.max_connections)
        connections.labels(connection.name, "now").set(state.max_connections)
        for one in Standing:
            standing.labels(connection.name, one.value).set(one is state.standing)


def _tell_stages(office: Office, numbers: CollectorRegistry) -> None:
    Gauge("tallyman_connections", "Connections there are.", registry=numbers).set(len(office.now.present()))
    messages = Gauge(
        "tallyman_stage_messages",
        "Messages of a stage of this process, by what became of them.",
        ["stage", "outcome"],
        registry=numbers,
    )
    for stage, stats in office.stages.items():
        for outcome in ("received", "succeeded", "given_up", "retried", "working", "waiting"):
            messages.labels(stage, outcome).set(getattr(stats, outcome))
