"""/api/v1/images, /tags and /summary: what is there."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.console.api.models import ImageShown, Page, RegistryNumbers, Summary, TagShown
from services.console.api.parts import Cursor, Limit, TheOffice
from services.console.api.problems import answers
from services.console.inventory import images as asked
from services.console.inventory.images import ImageFilter, ImageSort
from services.console.inventory.numbers import numbers
from services.console.office import Office
from services.console.shown import connected, image_shown, tag_shown
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import ConnectionName

router = APIRouter(tags=["inventory"])

Registry = Annotated[ConnectionName | None, Query(description="Only of this connection.")]
Text = Annotated[str | None, Query(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$")]


def asked_about(office: Office, registry: str | None) -> dict[str, Connection]:
    """Return the connections that a question is about. Raises NoSuchConnection."""
    if registry is None:
        return connected(office)
    found = office.registries.find(registry)
    return {found.registry: found}


@router.get("/images", summary="List images", responses=answers(400, 404, 422))
async def list_images(
    office: TheOffice,
    registry: Registry = None,
    repository: Text = None,
    search: Text = None,
    tag: Text = None,
    digest: Text = None,
    os: Text = None,
    architecture: Text = None,
    sort: ImageSort = ImageSort.REPOSITORY,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[ImageShown]:
    """Images that are present. `search` finds parts of repositories and tags, and beginnings of digests.

    Pages hold while data changes: each begins after the last entry of the one before.
    """
    about = asked_about(office, registry)
    wanted = ImageFilter(None, repository, search, tag, digest, os, architecture)
    rows, following = await asked.images_page(office.store, wanted, about, sort, cursor, limit)
    return Page(items=[image_shown(row, about) for row in rows], next=following)


@router.get("/tags", summary="List tags", responses=answers(400, 404, 422))
async def list_tags(
    office: TheOffice,
    registry: Registry = None,
    repository: Text = None,
    search: Text = None,
    tag: Text = None,
    digest: Text = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[TagShown]:
    """Tags that are present, by repository. `tag` is part of a name, `search` part of repository:tag."""
    about = asked_about(office, registry)
    wanted = ImageFilter(None, repository, search, tag, digest)
    rows, following = await asked.tags_page(office.store, wanted, about, cursor, limit)
    return Page(items=[tag_shown(row, about) for row in rows], next=following)


@router.get("/summary", summary="The estate in numbers")
async def get_summary(office: TheOffice) -> Summary:
    """How much there is, and how it changed this week."""
    return await summary(office)


async def summary(office: Office) -> Summary:
    """Return the sums over all connected registries."""
    known = connected(office)
    found = await numbers(office.store, list(known), office.clock())
    running = await office.store.unfinished_scans()
    return Summary(
        registries=len(known),
        repositories=found.total(0),
        tags=found.total(1),
        images=found.total(2),
        new_this_week=found.new_this_week,
        removed_this_week=found.removed_this_week,
        running_scans=sum(1 for registry, _ in running if registry in known),
        by_architecture=found.by_architecture,
        by_registry=[
            RegistryNumbers(
                registry=known[registry].name,
                registry_id=registry,
                repositories=counts[0],
                tags=counts[1],
                images=counts[2],
            )
            for registry, counts in found.by_registry.items()
        ],
    )
