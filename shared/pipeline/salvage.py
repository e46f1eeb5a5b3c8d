"""What bytes that are no message still tell: whose scan they belong to."""

from typing import Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from shared.messages.model import Name, ScanContext

_NAME: Final = TypeAdapter[str](Name)


def salvage(value: bytes | None) -> tuple[ScanContext, str | None] | None:
    """Return the scan and, where it is readable, the repository; None when not even the scan is."""
    try:
        document = from_json(value or b"")
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    try:
        context = ScanContext.model_validate(document.get("context"))
    except ValidationError:
        return None
    return context, _name(document.get("repository"))


def _name(value: object) -> str | None:
    try:
        return _NAME.validate_python(value, strict=True)
    except ValidationError:
        return None
