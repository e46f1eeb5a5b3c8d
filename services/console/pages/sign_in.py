"""Signing in and out."""

import asyncio
import time
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import SecretStr

from services.console.api.parts import TheOffice
from services.console.doors.attempts import Attempts
from services.console.doors.passwords import ADMIN, matches
from services.console.doors.sessions import COOKIE, LIFETIME_SECONDS, Sessions
from services.console.pages.rendering import page, redirect
from shared.messages.connection_notes import PasswordSet
from shared.observability.logs import log_of

router = APIRouter()

_LOG: Final = log_of("console")
_LONGEST: Final = 1024


@router.get("/sign-in")
async def show(request: Request, to: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """The form."""
    return page(request, "sign_in.html", to=_own_path(to), error="")


@router.post("/sign-in")
async def sign_in(
    request: Request,
    office: TheOffice,
    password: Annotated[SecretStr, Form(max_length=_LONGEST)],
    to: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Check the password; few tries a minute."""
    attempts = _attempts(request)
    address = request.client.host if request.client else ""
    to = _own_path(to)
    if wait := attempts.wait_seconds(address):
        told = f"Too many tries. Wait {wait:.0f} s, then try again."
        return page(request, "sign_in.html", 429, {"retry-after": f"{wait:.0f}"}, to=to, error=told)
    known = office.now.note(PasswordSet, ADMIN)
    attempts.failed(address)  # before it is known: tries that come at once count, too
    if known is None or not await asyncio.to_thread(matches, known, password.get_secret_value()):
        _LOG.warning("sign-in refused", address=address)
        told = "This is not the password. It was printed when Tallyman first started, or is TALLYMAN_ADMIN_PASSWORD."
        return page(request, "sign_in.html", 401, to=to, error=told)
    attempts.succeeded(address)
    answer = redirect(request, to)
    cookie = Sessions(office.secrets).new(known, office.clock())
    answer.set_cookie(COOKIE, cookie, max_age=LIFETIME_SECONDS, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Take the cookie away."""
    answer = redirect(request, "/sign-in")
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def _attempts(request: Request) -> Attempts:
    state = request.app.state
    if not hasattr(state, "attempts"):
        state.attempts = Attempts(time.monotonic)
    attempts: Attempts = state.attempts
    return attempts


def _own_path(to: str) -> str:
    """Return the path where it is one of ours, else the start: nobody is sent to another site."""
    is_ours = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if is_ours else "/"
