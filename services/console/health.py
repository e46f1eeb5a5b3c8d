"""Whether the process lives, whether it can work, and its numbers, for whoever watches it. Open to all."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from services.console.api.parts import TheOffice
from services.console.metrics import ConsoleNumbers
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
async def metrics(request: Request, office: TheOffice) -> Response:
    """Return this process's numbers, as Prometheus reads them."""
    numbers: ConsoleNumbers = request.app.state.numbers
    return Response(await numbers.text(office), media_type=CONTENT_TYPE_LATEST)
