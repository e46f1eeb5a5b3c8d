"""/api/v1/events: what consumers of the events build on."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from services.console.api.problems import answers
from shared.errors import PermanentError
from shared.messages.documents import asyncapi, schemas

router = APIRouter(prefix="/events", tags=["events"])


class NoSuchSchema(PermanentError):  # says what has happened
    """No public record is of that name."""

    def __init__(self) -> None:
        super().__init__(f"There is no such schema; there are {', '.join(schemas())}.", reason="no_such_schema")


@router.get("/asyncapi.json", summary="The AsyncAPI document of the public topics")
async def get_asyncapi() -> dict[str, Any]:
    """Topics, keys, headers and payloads (AsyncAPI 3.0)."""
    return asyncapi()


@router.get("/schemas/{name}", summary="The JSON Schema of an event's data", responses=answers(404, 422))
async def get_schema(
    name: Annotated[str, Path(max_length=64, description="As in tag.moved, image.state.")],
) -> dict[str, Any]:
    """What the data of an event of that type holds, or a record of a state topic."""
    if name not in schemas():
        raise NoSuchSchema
    return schemas()[name]
