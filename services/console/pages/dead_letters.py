"""Dead letters: the list, and one of them with its message."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.console.api.dead_letters import (
    MOST,
    LetterName,
    Stage,
    dropped,
    letter_shown,
    letter_whole,
    replayed,
)
from services.console.api.parts import TheOffice
from services.console.letters import stages_named
from services.console.pages.rendering import page
from shared.errors import TallymanError
from shared.messages.connection_notes import LetterState
from shared.messages.topics import WITH_DEAD_LETTERS

router = APIRouter(prefix="/dead-letters")

_ROWS = 200


@router.get("")
async def list_letters(
    request: Request,
    office: TheOffice,
    stage: Stage | Annotated[str, Query(max_length=0)] | None = None,
    state: LetterState | Annotated[str, Query(max_length=0)] | None = LetterState.OPEN,
) -> Response:
    """The newest letters, open ones unless others are asked for."""
    states = [LetterState(state)] if state else list(LetterState)
    found = await office.letters.newest(office.now, stages_named(stage or None), states, MOST)
    return page(
        request,
        "dead_letters.html",
        letters=[letter_shown(one) for one in found[:_ROWS]],
        more=max(0, len(found) - _ROWS),
        chosen={"stage": stage, "state": state},
        stages=WITH_DEAD_LETTERS,
        states=[one.value for one in LetterState],
    )


@router.get("/{letter}")
async def show(request: Request, office: TheOffice, letter: LetterName) -> Response:
    """One letter: why it was given up, and its message as it came."""
    return page(request, "dead_letter.html", letter=letter_whole(await office.letters.find(office.now, letter)))


@router.post("/{letter}/replay")
async def replay(request: Request, office: TheOffice, letter: LetterName) -> Response:
    """Send the message once more."""
    try:
        sent = await replayed(office, letter)
    except TallymanError as error:
        return page(request, "part_notice.html", told=str(error), tone="bad")
    told = f"{letter} was sent once more." if sent else f"{letter} had been replayed before: it is not sent again."
    return page(request, "part_notice.html", told=told, tone="good")


@router.post("/{letter}/drop")
async def drop(request: Request, office: TheOffice, letter: LetterName) -> Response:
    """Note that nobody needs the letter."""
    try:
        await dropped(office, letter)
    except TallymanError as error:
        return page(request, "part_notice.html", told=str(error), tone="bad")
    return page(request, "part_notice.html", told=f"{letter} is dropped: it is no longer listed as open.", tone="good")
