"""A POST to a receiver, and what its answer means: done, later, or never."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import httpx

from shared.errors import PermanentError, TransientError
from shared.registry.retry import retry_after_seconds

_MAY_WORK_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_NO_REDIRECT: Final = range(300, 400)


async def post(client: httpx.AsyncClient, url: str, headers: Mapping[str, str], body: bytes) -> None:
    """Send the body; return once it was taken (2xx). The answer's own body is not read: nothing in it is needed.

    Raises TransientError for what may work later, PermanentError else. Neither shows the address beyond its host:
    many a webhook's path is a secret.
    """
    host = urlsplit(url).hostname
    try:
        async with client.stream("POST", url, headers=dict(headers), content=body) as answer:
            status, asked = answer.status_code, retry_after_seconds(answer.headers)
    except httpx.HTTPError as error:
        raise TransientError(
            f"{host} was not reached ({type(error).__name__}): see that it runs and that its certificate is good.",
            reason="receiver_unreachable",
        ) from None  # the error names the whole address
    if status in _MAY_WORK_LATER:
        raise TransientError(
            f"{host} answered {status}: it may take it later.", reason="receiver_busy", retry_after_seconds=asked
        )
    if status in _NO_REDIRECT:
        raise PermanentError(
            f"{host} answered {status} and sends on to another address, which is not followed: set that address.",
            reason="receiver_moved",
        )
    if not 200 <= status < 300:
        raise PermanentError(
            f"{host} refused the delivery with {status}: see its log, and the address and secret set for it.",
            reason="receiver_refused",
        )
