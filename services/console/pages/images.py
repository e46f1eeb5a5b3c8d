"""Images: the list that is searched, and one of them."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from services.console.api.inventory import Registry, Text, asked_about
from services.console.api.parts import Cursor, TheConnection, TheOffice
from services.console.inventory.image import image_told
from services.console.inventory.images import ImageFilter, ImageSort, count_images, images_page
from services.console.inventory.numbers import numbers
from services.console.pages.rendering import page
from services.console.shown import connected, image_shown, reference
from shared.errors import TallymanError
from shared.oci.digest import Digest

router = APIRouter(prefix="/images")

_ROWS = 50
_SORTS: Mapping[ImageSort, str] = {
    ImageSort.REPOSITORY: "Repository",
    ImageSort.NEWEST: "New to us first",
    ImageSort.LATEST_BUILT: "Built last first",
    ImageSort.LARGEST: "Largest first",
    ImageSort.SMALLEST: "Smallest first",
    ImageSort.OLDEST: "Known longest first",
    ImageSort.FIRST_BUILT: "Built first first",
}


@router.get("")
async def list_images(
    request: Request,
    office: TheOffice,
    registry: Registry | Annotated[str, Query(max_length=0)] = None,
    search: Text = None,
    repository: Text = None,
    architecture: Text = None,
    sort: ImageSort = ImageSort.REPOSITORY,
    cursor: Cursor = None,
) -> Response:
    """A page of images. Asked by htmx, only the part below the search form."""
    about = asked_about(office, registry or None)
    wanted = ImageFilter(None, repository, (search or "").strip() or None, None, None, None, architecture)
    rows, following = await images_page(office.store, wanted, about, sort, cursor, _ROWS)
    total = await count_images(office.store, wanted, about)
    chosen = {
        "registry": registry,
        "search": search,
        "repository": repository,
        "architecture": architecture,
        "sort": sort,
    }
    query = {name: value for name, value in chosen.items() if value}
    is_part = "hx-request" in request.headers
    found = {} if is_part else (await numbers(office.store, list(connected(office)), office.clock())).by_architecture
    return page(
        request,
        "part_images.html" if is_part else "images.html",
        images=[image_shown(row, about) for row in rows],
        total=total,
        next=f"/images?{urlencode({**query, 'cursor': following})}" if following else None,
        first=f"/images?{urlencode(query)}" if cursor else None,
        chosen=chosen,
        sorts=_SORTS,
        registries=[connection.name for connection, _ in office.now.present()],
        architectures=[name for name in found if name != "not told"],
        any_registry=bool(office.now.present()),
    )


@router.get("/{connection}/{digest}")
async def show(
    request: Request,
    office: TheOffice,
    connection: TheConnection,
    digest: str,
    repository: Annotated[str, Query(max_length=1024)],
) -> Response:
    """One image."""
    known = connected(office)
    wanted = Digest(digest)
    told = await image_told(office.store, connection.registry, repository, wanted, list(known))
    return page(
        request,
        "image.html",
        connection=connection,
        repository=repository,
        digest=str(wanted),
        reference=reference(connection, repository, str(wanted)),
        told=told,
        elsewhere=[(known[row["registry"]], row) for row in told.elsewhere],
    )


@router.post("/{connection}/{digest}/trigger")
async def trigger(request: Request, office: TheOffice, connection: TheConnection, digest: str) -> Response:
    """Send a scan trigger for the image once more."""
    try:
        await office.triggers.ask(office.now, Digest(digest))
    except TallymanError as error:
        return page(request, "part_notice.html", told=str(error), tone="bad")
    told = "A scan trigger is on its way, for whoever follows scan.triggers."
    return page(request, "part_notice.html", told=told, tone="good")
