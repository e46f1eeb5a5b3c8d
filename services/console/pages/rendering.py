"""Templates, and what every page needs to know."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from fastapi.templating import Jinja2Templates
from markupsafe import Markup, escape

from services.console.api.problems import Problem
from services.console.doors.principals import Principal

_FOLDER: Final = Path(__file__).with_name("templates")
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_SHOWN_DIGITS: Final = 12
NOTHING: Final = "\N{EN DASH}"
"""What stands where there is no value."""


def templates() -> Jinja2Templates:
    """Return the templates with their filters; everything is escaped."""
    made = Jinja2Templates(directory=_FOLDER)
    made.env.filters.update(count=count, size=size, when=when, short=short, lasted=lasted, platform=platform)
    made.env.globals.update(version=version("tallyman"))
    made.env.trim_blocks = made.env.lstrip_blocks = True
    return made


def page(
    request: Request, template: str, /, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> Response:
    """Return a page, or a part of one."""
    principal: Principal | None = getattr(request.state, "principal", None)
    known = {"csrf": principal.csrf if principal else "", "signed_in": principal is not None, "path": request.url.path}
    return TEMPLATES.TemplateResponse(request, template, {**known, **context}, status, dict(headers or {}))


def problem_page(request: Request, problem: Problem) -> Response:
    """Return the page of something that went wrong."""
    return page(request, "error.html", problem.status, problem=problem)


def part(name: str, **context: Any) -> str:
    """Return a part of a page as text."""
    return TEMPLATES.get_template(name).render(context)


def redirect(request: Request, to: str) -> Response:
    """Return what sends the browser to another page, asked by htmx or not."""
    if "hx-request" in request.headers:
        return HTMLResponse("", headers={"hx-redirect": to})
    return HTMLResponse("", 303, {"location": to})


def count(number: int | None) -> str:
    """Return a number with its thousands apart."""
    return NOTHING if number is None else f"{number:,}"


def size(size_bytes: int | None) -> str:
    """Return a size in words."""
    if size_bytes is None:
        return NOTHING
    amount = float(size_bytes)
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return ""


def when(moment: datetime | None) -> Markup:
    """Return a time element: UTC until the browser writes it in its reader's zone."""
    if moment is None:
        return escape(NOTHING)
    utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    shown = Markup('<time datetime="{}" title="{} UTC">{}</time>')
    return shown.format(utc.isoformat().replace("+00:00", "Z"), f"{utc:%Y-%m-%d %H:%M:%S}", f"{utc:%Y-%m-%d %H:%M}")


def short(digest: str) -> str:
    """Return a digest's beginning."""
    return digest.removeprefix("sha256:")[:_SHOWN_DIGITS]


def lasted(began: datetime, ended: datetime | None) -> str:
    """Return how long something took, in words."""
    if ended is None:
        return NOTHING
    seconds = (ended - began).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def platform(row: Mapping[str, Any] | Any) -> str:
    """Return a platform as everybody writes it."""
    get = row.get if isinstance(row, Mapping) else lambda name: getattr(row, name)
    return "/".join(filter(None, (get("os"), get("architecture"), get("variant")))) or "not told"


TEMPLATES: Final = templates()
