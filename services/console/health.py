"""Whether the process lives, whether it can work, and its numbers, for whoever watches it. Open to all."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from services.console.api.parts import TheOffice
from services.console.office import Office
from shared.errors import TallymanError

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
    return Response(_exposition(office), media_type=CONTENT_TYPE_LATEST)


def _exposition(office: Office) -> bytes:
    numbers = CollectorRegistry()
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
    return generate_latest(numbers)
