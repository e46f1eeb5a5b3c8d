"""The ASGI application: the API, the pages, health, and the doors before them all."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles

from services.console import health
from services.console.api import connections, dead_letters, events, inventory, scans, tokens, triggers
from services.console.api.problems import Problem, install_problems
from services.console.doors.guard import App, Guard, KnowsPeople
from services.console.doors.sessions import COOKIE
from services.console.hooks import door as hooks
from services.console.hooks.receiver import HookReceiver
from services.console.metrics import ConsoleNumbers
from services.console.office import Office
from services.console.pages import routes as pages
from services.console.pages.live import Live
from services.console.pages.rendering import problem_page

API: Final = "/api/v1"
_STATIC: Final = Path(__file__).with_name("static")
_DESCRIPTION: Final = (
    "Connect registries, load them, and ask what is there. Sign in with an API token "
    "(`Authorization: Bearer …`; `tallyman token create`). Errors are problem details (RFC 9457)."
)


def console_application(office: Office, people: KnowsPeople, hosts: Iterable[str]) -> App:
    """Return the application behind its guard.  hosts: values of the Host header that are ours."""
    return Guard(unguarded(office), people, hosts, COOKIE)


def unguarded(office: Office) -> FastAPI:
    """Return the application; whoever serves it puts a guard before it."""
    live = Live(office)
    receiver = HookReceiver(office.scans, office.clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        receiving = asyncio.create_task(receiver.run(), name="hooks")
        yield
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        await live.stop()

    application = FastAPI(
        title="Tallyman",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    application.state.office = office
    application.state.live = live
    application.state.hooks = receiver
    application.state.numbers = ConsoleNumbers()
    install_problems(application, problem_page)
    api = APIRouter(prefix=API)
    for part in (connections, scans, inventory, triggers, dead_letters, events, tokens):
        api.include_router(part.router)
    application.include_router(api)
    application.include_router(health.router)
    application.include_router(pages.router)
    application.include_router(hooks.router)
    for path, folder in _assets():
        application.mount(path, StaticFiles(directory=folder))
    application.openapi = lambda: _schema(application)  # type: ignore[method-assign]  # FastAPI's own way
    return application


def _assets() -> Iterable[tuple[str, Path]]:
    """Yield where static files are served, and the folders they lie in: ours, and those of packages."""
    yield "/static/htmx", _of_package("js_lib_htmx") / "static" / "htmx"
    yield "/static/swagger", _of_package("fastapi_offline") / "static"
    yield "/static/own", _STATIC


def _of_package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _schema(application: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document: with problems as the answer to what is refused before any route."""
    if application.openapi_schema is None:
        document = get_openapi(
            title=application.title,
            version=application.version,
            description=application.description,
            routes=application.routes,
        )
        document["paths"] = {path: told for path, told in document["paths"].items() if path.startswith(API)}
        parts = document["components"]["schemas"]
        parts["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        parts |= parts["Problem"].pop("$defs", {})
        for gone in ("HTTPValidationError", "ValidationError"):
            parts.pop(gone, None)
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        _document_refusals(document)
        application.openapi_schema = document
    return application.openapi_schema


def _document_refusals(document: dict[str, Any]) -> None:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    everywhere = {
        "400": "The request cannot be read",
        "401": "No token, or one that is not known",
        "403": "A token that may only read",
        "421": "A host name that is not ours",
        "503": "Kafka or the store does not answer; try again",
    }
    for told in document["paths"].values():
        for operation in told.values():
            answers = operation["responses"]
            for status, words in everywhere.items():
                answers.setdefault(status, {"description": words, "content": content})
            if "422" in answers:
                answers["422"] = {"description": "Something in the request is wrong", "content": content}
