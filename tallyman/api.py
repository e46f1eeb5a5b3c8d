"""The REST API as commands ask it: of a console somewhere, of the service on the data folder, or of this process."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import httpx

from shared.errors import PermanentError, SettingsError, TransientError
from shared.settings import Settings
from tallyman.door import SOCKET, Door

_PREFIX: Final = "/api/v1"
_SECONDS: Final = 300.0
"""Some answers take long: a check of a registry, a purge."""


class ApiRefused(PermanentError):  # says what has happened
    """The API refused, with its own sentence and reason."""


class Api:
    """client: knows where the API is, and signs in there."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client: Final = client

    async def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a question. Raises ApiRefused, TransientError."""
        return (await self._ask("GET", path, query={k: v for k, v in query.items() if v is not None}))[0]

    async def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Any:
        """Return the answer to a change, None where it has none. Raises as `get`."""
        return (await self._ask(method, path, body, headers, query))[0]

    async def get_with_revision(self, path: str) -> tuple[Any, str]:
        """Return the answer and the ETag that an edit has to name."""
        answer, headers = await self._ask("GET", path)
        return answer, headers.get("etag", "")

    async def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> tuple[Any, httpx.Headers]:
        try:
            answer = await self._client.request(
                method, _PREFIX + path, json=body, headers=dict(headers or {}), params=dict(query or {})
            )
        except httpx.TransportError as error:
            raise TransientError(
                f"The console at {self._client.base_url} does not answer ({type(error).__name__}): check TALLYMAN_URL, "
                "and that the console runs.",
                reason="console_unreachable",
            ) from error
        if answer.is_error:
            raise _refusal(answer)
        return (answer.json() if answer.content else None), answer.headers


@asynccontextmanager
async def open_api(settings: Settings, *, at_work: bool = False) -> AsyncIterator[Api]:
    """Yield the API.  at_work: where this process has to open the data folder itself, the stages run meanwhile.

    Raises SettingsError where neither a service nor a data folder is there.
    """
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(await _client(settings, stack, at_work=at_work))
        yield Api(client)


async def _client(settings: Settings, stack: AsyncExitStack, *, at_work: bool) -> httpx.AsyncClient:
    if settings.url is not None:
        token = settings.token.get_secret_value() if settings.token else ""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=settings.url, headers=headers, timeout=_SECONDS)
    if settings.kafka is None and await Door.find(settings.data):
        transport = httpx.AsyncHTTPTransport(uds=str(settings.data / SOCKET))
        return httpx.AsyncClient(base_url="http://door", transport=transport, timeout=_SECONDS)
    application = await _own(settings, stack, at_work=at_work)
    return httpx.AsyncClient(base_url="http://here", transport=httpx.ASGITransport(app=application), timeout=_SECONDS)


async def _own(settings: Settings, stack: AsyncExitStack, *, at_work: bool) -> Any:
    """Return the application of an installation that this process opens: seconds, where no service runs."""
    from services.console.service import office_of
    from services.opening import open_store, opened
    from tallyman.doorkeeper import owners_application
    from tallyman.system import open_system, run_stages

    if settings.kafka is not None:
        ready = await stack.enter_async_context(opened(settings, service="command"))
        store = await stack.enter_async_context(open_store(settings))
        return owners_application(office_of(ready, store))
    if not settings.data.exists() and not at_work:
        raise SettingsError(
            f"There is nothing in {settings.data} yet: `tallyman run` starts, or name the folder with --data."
        )
    system = await stack.enter_async_context(open_system(settings))
    if at_work:
        stop = asyncio.Event()
        stages = asyncio.create_task(run_stages(system, stop))

        async def stopped() -> None:
            stop.set()
            await stages

        stack.push_async_callback(stopped)
    return owners_application(office_of(system.installation, system.store))


def _refusal(answer: httpx.Response) -> PermanentError | TransientError:
    try:
        problem = answer.json()
        detail, reason = str(problem["detail"]), str(problem["reason"])
    except (ValueError, KeyError, TypeError):
        detail, reason = f"The console answered {answer.status_code}, and not as a console does.", "console_unreadable"
    if answer.status_code == 503:
        return TransientError(detail, reason=reason)
    return ApiRefused(detail, reason=reason or f"status_{answer.status_code}")
