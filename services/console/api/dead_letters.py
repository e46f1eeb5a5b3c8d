"""/api/v1/dead-letters: messages that could not be worked."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query

from services.console.api.models import LetterReplayed, LetterShown, LetterWhole
from services.console.api.parts import TheOffice
from services.console.api.problems import answers
from services.console.letters import Handled, stages_named
from services.console.office import Office
from shared.messages.connection_notes import LetterState

router = APIRouter(prefix="/dead-letters", tags=["dead letters"])

MOST: Final = 1000
"""Newest letters that are looked at; what is older is read from the topic itself."""

Stage = Literal["lister", "tagger", "manifester", "sink", "trigger", "deliverer"]
LetterName = Annotated[str, Path(max_length=64, description="stage-partition-offset, as in sink-3-17.")]


@router.get("", summary="List the dead letters", responses=answers(422))
async def list_letters(
    office: TheOffice,
    stage: Annotated[Stage | None, Query(description="Only of this stage.")] = None,
    state: Annotated[
        LetterState | Literal["all"], Query(description="Only those of which this became.")
    ] = LetterState.OPEN,
) -> list[LetterShown]:
    """Messages that a stage gave up, the newest first, of the newest thousand."""
    states = list(LetterState) if state == "all" else [LetterState(state)]
    found = await office.letters.newest(office.now, stages_named(stage), states, MOST)
    return [letter_shown(one) for one in found]


@router.get("/{letter}", summary="Show a dead letter", responses=answers(404, 422))
async def get_letter(office: TheOffice, letter: LetterName) -> LetterWhole:
    """One letter with its message, byte for byte."""
    return letter_whole(await office.letters.find(office.now, letter))


@router.post("/{letter}/replay", summary="Replay a dead letter", responses=answers(404, 409, 422))
async def replay_letter(office: TheOffice, letter: LetterName) -> LetterReplayed:
    """Send its message once more, as it came, to where it lay: once, however often this is asked."""
    return LetterReplayed(sent=await replayed(office, letter))


@router.post("/{letter}/drop", status_code=204, summary="Drop a dead letter", responses=answers(404, 422))
async def drop_letter(office: TheOffice, letter: LetterName) -> None:
    """Note that nobody needs it any more; it is no longer listed as open."""
    await dropped(office, letter)


async def replayed(office: Office, name: str) -> bool:
    """Replay a letter; return whether it was sent now."""
    found = await office.letters.find(office.now, name)
    sent, offset = await office.letters.replay(found.letter, office.clock())
    if offset is not None:
        await office.connections.seen(offset)
    return sent


async def dropped(office: Office, name: str) -> None:
    """Drop a letter."""
    found = await office.letters.find(office.now, name)
    offset = await office.letters.drop(found.letter, office.clock())
    if offset is not None:
        await office.connections.seen(offset)


def letter_shown(handled: Handled) -> LetterShown:
    """Return a letter without its message."""
    letter = handled.letter
    topic, partition, offset = letter.source
    return LetterShown(
        name=letter.name,
        state=handled.state,
        stage=letter.stage,
        reason=letter.reason,
        error=letter.error,
        topic=topic,
        partition=partition,
        offset=offset,
        written_at=_time(letter.written_at),
        first_seen=_time(letter.first_seen),
        size_bytes=letter.omitted if letter.omitted is not None else len(letter.key or b"") + len(letter.value or b""),
        handled_at=handled.at,
    )


def letter_whole(handled: Handled) -> LetterWhole:
    """Return a letter with its message."""
    letter = handled.letter
    return LetterWhole(
        **letter_shown(handled).model_dump(),
        key=b64encode(letter.key).decode() if letter.key is not None else None,
        value=b64encode(letter.value).decode() if letter.value is not None else None,
        text=_text(letter.value),
        traceback=letter.traceback,
    )


def _time(milliseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds >= 0 else None
    except (OverflowError, ValueError, OSError):  # a header may hold any number
        return None


def _text(value: bytes | None) -> str | None:
    try:
        return value.decode() if value is not None else None
    except UnicodeDecodeError:
        return None
