"""JSON on the wire: bytes in, a checked message or a clear error out."""

from typing import Final, TypeVar

from pydantic import ValidationError

from shared.errors import PermanentError
from shared.messages.model import Message

M = TypeVar("M", bound=Message)

REASON_UNREADABLE: Final = "message_unreadable"


def encode(message: Message) -> bytes:
    """Return the message's bytes; empty optional fields are left out."""
    return message.model_dump_json(exclude_none=True).encode()


def encode_whole(message: Message) -> bytes:
    """Return the bytes of a message that holds what the public reads: empty fields are told there, as null."""
    return message.model_dump_json().encode()


def decode(model: type[M], value: bytes | None, offset: int) -> M:
    """Return the message in `value`, received at `offset`.

    Raises PermanentError (reason `message_unreadable`), naming the first field that is wrong.
    """
    if value is None:
        raise PermanentError("The message is empty.", reason=REASON_UNREADABLE)
    try:
        return model.model_validate_json(value).received_at(offset)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise PermanentError(
            f"Not a {model.__name__} message: {where}: {first['msg']}.", reason=REASON_UNREADABLE
        ) from error
