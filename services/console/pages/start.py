"""The start page: the estate at a glance."""

from fastapi import APIRouter, Request, Response

from services.console.api.inventory import summary
from services.console.api.parts import TheOffice
from services.console.inventory.numbers import growth
from services.console.inventory.scans import scans_page
from services.console.pages.charts import bars_of, growth_of
from services.console.pages.rendering import page
from services.console.shown import all_shown, connected, scan_shown

router = APIRouter()

DAYS = 30


@router.get("/")
async def start(request: Request, office: TheOffice) -> Response:
    """Numbers, growth, architectures, registries, and what needs a look."""
    known = connected(office)
    found = await summary(office)
    days = await growth(office.store, list(known), office.clock(), DAYS)
    shown = await all_shown(office)
    unread = [(one.name, one.last_scan.failed) for one in shown if one.last_scan and one.last_scan.failed]
    rows, _ = await scans_page(office.store, list(known), None, None, 8)
    return page(
        request,
        "start.html",
        summary=found,
        growth=growth_of(days),
        architectures=bars_of(list(found.by_architecture.items())),
        registries=shown,
        failures=bars_of(sorted(unread, key=lambda pair: -pair[1])),
        per_registry=bars_of(sorted(((one.registry, one.images) for one in found.by_registry), key=lambda p: -p[1])),
        images={numbers.registry_id: numbers.images for numbers in found.by_registry},
        scans=[scan_shown(row, known[row["registry"]]) for row in rows],
    )
