"""/api/v1/triggers: scans of images that a person asks for."""

from fastapi import APIRouter

from services.console.api.models import ImageWanted, TriggerAsked
from services.console.api.parts import TheOffice
from services.console.api.problems import answers
from shared.messages.scan_triggers import platform_name
from shared.oci.digest import Digest

router = APIRouter(prefix="/triggers", tags=["scan triggers"])


@router.post("", status_code=202, summary="Ask for an image's scan", responses=answers(404, 422))
async def ask(office: TheOffice, wanted: ImageWanted) -> list[TriggerAsked]:
    """Send a scan trigger once more for an image, or for each member of an index, whoever holds it.

    By itself an image is triggered once; each asking here is another trigger, with an id of its own.
    """
    asked = await office.triggers.ask(office.now, Digest(wanted.digest))
    return [
        TriggerAsked(
            id=one.id,
            digest=one.trigger.digest,
            platform=platform_name(one.trigger.platform),
            reference=one.trigger.reference,
        )
        for one in asked
    ]
