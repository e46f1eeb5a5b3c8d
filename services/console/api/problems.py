"""Errors as problem details (RFC 9457): a title, a sentence with what to do, our constant reason; no input quoted."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from shared.connections.rules import ConnectionInvalid
from shared.errors import TallymanError, TransientError
from shared.observability.logs import log_of
from shared.pipeline.dead_letters import frames

MEDIA_TYPE: Final = "application/problem+json"
_LOG: Final = log_of("console")
_REASON_INVALID: Final = "request_invalid"

_STATUS: Final[Mapping[str, int]] = {
    "connection_invalid": 422,
    "name_taken": 409,
    "token_name_taken": 409,
    "ambiguous": 409,
    "stale_edit": 412,
    "no_such_connection": 404,
    "no_such_scan": 404,
    "no_such_image": 404,
    "image_not_served": 404,
    "no_such_token": 404,
    "no_such_letter": 404,
    "no_such_schema": 404,
    "hook_unsigned": 401,
    "hook_too_large": 413,
    "hook_unreadable": 422,
    "letter_not_replayable": 409,
    "scan_running": 409,
    "scan_not_running": 409,
    "connection_inactive": 409,
    "nothing_held": 409,
    "secret_unreadable": 409,
    "cursor_invalid": 404,
    "store_failed": 500,
}
"""HTTP status by our reason; what is not here is 503 where it may pass by itself, else 400."""


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Its name, dots between levels; empty where no single field is wrong.")
    told: str = Field(description="What is wrong, and what to do.")


class Problem(BaseModel):
    """Problem details. Source: RFC 9457."""

    type: str = Field("about:blank", description="Always about:blank: status and reason say it.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What is wrong and what to do, a sentence or two.")
    reason: str = Field("", description="A short constant that says why.")
    errors: list[FieldProblem] = Field([], description="By field, where fields are wrong.")


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route documents for its refusals."""
    document = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    return {status: {**document, "description": HTTPStatus(status).phrase} for status in statuses}


def problem(status: int, detail: str, reason: str = "", errors: Mapping[str, str] | None = None) -> Problem:
    """Return the details of a refusal."""
    fields = [FieldProblem(field=field, told=told) for field, told in (errors or {}).items()]
    return Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, reason=reason, errors=fields)


def problem_bytes(status: int, detail: str) -> bytes:
    """Return a refusal's body, for whoever has no route yet."""
    return problem(status, detail).model_dump_json().encode()


def status_of(error: TallymanError) -> int:
    """Return the HTTP status of one of our errors."""
    return _STATUS.get(error.reason, 503 if isinstance(error, TransientError) else 400)


def install_problems(application: FastAPI, page: Callable[[Request, Problem], Response]) -> None:
    """Have every error of the application answered as a problem, or as a page to who reads pages.

    page: makes one of a problem.
    """
    application.state.problem_page = page
    application.add_exception_handler(TallymanError, _ours)
    application.add_exception_handler(RequestValidationError, _invalid)
    application.add_exception_handler(HTTPException, _http)
    application.add_exception_handler(Exception, _unexpected)


def answered(request: Request, told: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem in the form that whoever asked reads."""
    reads_pages = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/v1/")
    if reads_pages:
        page: Response = request.app.state.problem_page(request, told)
        return page
    return JSONResponse(told.model_dump(), told.status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, TallymanError)
    fields = error.fields if isinstance(error, ConnectionInvalid) else None
    return answered(request, problem(status_of(error), str(error), error.reason, fields))


async def _invalid(request: Request, error: Exception) -> Response:
    """Tell which fields are wrong; what was given is not quoted, it may be a password."""
    assert isinstance(error, RequestValidationError)
    fields: dict[str, str] = {}
    if any(tuple(one["loc"]) == ("header", "if-match") for one in error.errors()):
        told = 'Say which revision the edit is of: If-Match: "N", with the connection\'s revision.'
        return answered(request, problem(428, told, "revision_required"))
    for one in error.errors():
        where = [str(part) for part in one["loc"] if part not in ("body", "query", "path", "header")]
        field = ".".join(where) or str(one.get("ctx", {}).get("field", ""))
        fields[field] = one["msg"].removeprefix("Value error, ")
    told = "; ".join(f"{field}: {words}" if field else words for field, words in fields.items())
    return answered(request, problem(422, f"The request is wrong: {told}.", _REASON_INVALID, fields))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {404: "There is nothing at this address.", 405: "This address is not asked in this way."}
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["allow"] = _allowed(request) or headers.get("Allow", "")
        headers.pop("Allow", None)
    return answered(request, problem(error.status_code, told.get(error.status_code, str(error.detail))), headers)


def _allowed(request: Request) -> str:
    """Return the methods that the path is documented to have; the framework tells only those of the first route."""
    paths = request.app.openapi()["paths"]
    at = request.url.path
    fitting = [at] if at in paths else [path for path in paths if compile_path(path)[0].match(at)]
    return ", ".join(sorted({method.upper() for path in fitting for method in paths[path]}))


async def _unexpected(request: Request, error: Exception) -> Response:
    _LOG.error(
        "request failed unexpectedly", path=request.url.path, error=type(error).__name__, traceback=frames(error)
    )
    return answered(request, problem(500, "This is a fault of Tallyman's own: see its log.", "unexpected"))
