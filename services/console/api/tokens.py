"""/api/v1/tokens: who may use the API."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.console.api.models import TokenOnce, TokenShown, TokenWanted
from services.console.api.parts import TheOffice
from services.console.api.problems import answers
from services.console.doors.tokens import make_token, take_back
from shared.messages.connection_notes import TokenMade

router = APIRouter(prefix="/tokens", tags=["tokens"])


@router.get("", summary="List the API tokens")
async def list_tokens(office: TheOffice) -> list[TokenShown]:
    """All tokens, without their secrets."""
    return [_shown(made) for made in office.now.all_notes(TokenMade)]


@router.post("", status_code=201, summary="Make an API token", responses=answers(409, 422), response_model=TokenOnce)
async def create_token(office: TheOffice, wanted: TokenWanted) -> TokenOnce:
    """Make a token. It is shown in this answer and never again."""
    made, token, offset = await make_token(office.topic, wanted.name, wanted.role, office.clock)
    await office.connections.seen(offset)
    return TokenOnce(**_shown(made).model_dump(), token=token)


@router.delete("/{identity}", status_code=204, summary="Take an API token back", responses=answers(404, 422))
async def delete_token(
    office: TheOffice, identity: Annotated[str, Path(max_length=64, description="Its name or id.")]
) -> None:
    """Take a token back, by its name or id; it lets nobody in from then on."""
    await office.connections.seen(await take_back(office.topic, identity))


def _shown(made: TokenMade) -> TokenShown:
    return TokenShown(id=made.id, name=made.name, role=made.role, made_at=made.made_at)
