"""Redirects, followed by hand: registries keep blobs elsewhere, and credentials never go there."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import httpx

from shared.registry.answer import Answer, host_of
from shared.registry.errors import RedirectRefused

MOST: Final = 5
_STATUSES: Final = frozenset({301, 302, 303, 307, 308})

Get = Callable[[httpx.URL, Mapping[str, str]], Awaitable[Answer]]


def is_redirect(answer: Answer) -> bool:
    """Tell whether the answer sends the reader elsewhere."""
    return answer.status in _STATUSES


async def follow(get: Get, url: httpx.URL, headers: Mapping[str, str]) -> Answer:
    """Return the answer at the end of the redirects from `url`. Raises RedirectRefused."""
    for _ in range(MOST + 1):
        answer = await get(url, headers)
        if not is_redirect(answer):
            return answer
        url, headers = next_hop(answer, headers)
    raise RedirectRefused(
        f"{host_of(url)} redirects more than {MOST} times. Check the registry's proxy.", reason="redirect_refused"
    )


def next_hop(answer: Answer, headers: Mapping[str, str]) -> tuple[httpx.URL, Mapping[str, str]]:
    """Return where the answer sends the reader, and the headers to go with.

    Authorization stays behind at another origin, for good. Raises RedirectRefused for anything but http and
    https, and from https to http. Source: RFC 9110, Redirection.
    """
    try:
        to = answer.url.join(answer.headers.get("location", ""))
    except (httpx.InvalidURL, ValueError) as error:
        raise _refused(answer, "to an address that cannot be read") from error
    if "location" not in answer.headers or to.scheme not in ("http", "https") or not to.host or to.userinfo:
        raise _refused(answer, "to an address that cannot be read")
    if answer.url.scheme == "https" and to.scheme == "http":
        raise _refused(answer, f"from https to http ({host_of(to)})")
    if origin(to) == origin(answer.url):
        return to, headers
    return to, {name: value for name, value in headers.items() if name.lower() != "authorization"}


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Return scheme, host and port: what credentials belong to."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _refused(answer: Answer, where: str) -> RedirectRefused:
    return RedirectRefused(
        f"{answer.host} redirects {where}; that is not followed. Correct its storage or proxy settings.",
        reason="redirect_refused",
    )
