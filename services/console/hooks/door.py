"""POST /hooks/{connection}: where registries send their webhooks."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from services.console.api.parts import TheOffice
from services.console.hooks.payloads import targets_of
from services.console.hooks.receiver import HookReceiver
from services.console.hooks.signature import is_signed
from services.console.office import Office
from shared.connections.rules import NoSuchConnection
from shared.errors import PermanentError
from shared.messages.connection_changed import Connection
from shared.messages.connection_notes import HookSecretSet

router = APIRouter(include_in_schema=False)

_MOST_BYTES: Final = 1024 * 1024


class HookTaken(BaseModel):
    """What became of a hook."""

    accepted: int = Field(description="How many repositories or tags will be read because of it.")


class HookUnsigned(PermanentError):  # says what has happened
    """Whoever sent this does not know the secret, or there is none; neither is told apart."""

    def __init__(self) -> None:
        super().__init__(
            "The webhook is not signed with its connection's secret. Make one (POST "
            "/api/v1/connections/NAME/hook-secret) and set it where the registry sends its webhooks from.",
            reason="hook_unsigned",
        )


class HookTooLarge(PermanentError):  # says what has happened
    """No registry sends so much at once."""

    def __init__(self) -> None:
        super().__init__(f"The webhook is larger than {_MOST_BYTES} bytes.", reason="hook_too_large")


@router.post("/hooks/{connection}", status_code=202)
async def take_hook(request: Request, office: TheOffice, connection: Annotated[str, Path(max_length=200)]) -> HookTaken:
    """Take a hint. It is answered at once, and read a moment later."""
    body = await _body(request)
    found, secret = _secret_of(office, connection)
    if found is None or not is_signed(secret, request.headers, request.query_params, body):
        raise HookUnsigned
    receiver: HookReceiver = request.app.state.hooks
    return HookTaken(accepted=receiver.offer(found, targets_of(body)))


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise HookTooLarge
    return body


def _secret_of(office: Office, named: str) -> tuple[Connection | None, str]:
    """Return the connection of that name or id and its hooks' secret, None where either is missing."""
    try:
        connection = office.registries.find(named)
    except NoSuchConnection:
        return None, ""
    note = office.now.note(HookSecretSet, connection.registry)
    if note is None:
        return None, ""
    return connection, office.secrets.decrypt(note.secret).get_secret_value()
