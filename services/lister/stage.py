"""The catalog lister: a scan's request in, the repositories to be listed out."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Final, Protocol

from services.access import RegistryAccess, why_skipped
from services.lister.selection import REASON_FILTERED, check_source, is_selected, listed_names
from services.lister.window import width
from services.units import failure, unit_skipped
from shared.errors import PermanentError, TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.model import Failure, Message, ScanContext, ScanKind
from shared.messages.repository_found import RepositoryFound
from shared.messages.scan_progressed import CatalogPage, Progress, ScanProgressed, ScanStarted
from shared.messages.scan_requested import CatalogCursor, ScanRequested
from shared.messages.topics import SCAN_REQUESTED
from shared.pipeline.stage import Stage
from shared.registry.meter import metered
from shared.registry.pagination import Page
from shared.settings import Settings

NAME: Final = "lister"

ANSWERS_PER_MESSAGE: Final = 5
NAMES_PER_MESSAGE: Final = 500
"""A message ends, and a continuation goes on, after so many of the registry's answers or of their names."""

NAMES_PER_PAGE: Final = 1000
"""Names told in one catalog page: a registry that gives all it has at once must not make a message too large."""

PAGES_AT_MOST: Final = 10_000
"""More pages than any message makes: five of the largest answers that the client takes hold fewer names."""

REASON_INCOMPLETE_REQUEST: Final = "request_incomplete"

_CATALOG: Final = "catalog"
_FIRST_SCAN_BASE: Final = 1


class ReadsCatalogs(Protocol):
    """The lister's part of a registry's client."""

    async def catalog(self, cursor: str | None) -> Page: ...


class LimitsUnfinished(Protocol):
    """Lets a repository through once few enough of its registry are unfinished (`services.lister.window`)."""

    async def enter(self, context: ScanContext, repository: str, most: int) -> None: ...


def lister_stage(
    registries: RegistryAccess[ReadsCatalogs],
    window: LimitsUnfinished,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Stage[ScanRequested]:
    """Return the stage. clock: the time in UTC, for people."""
    lister = _Lister(registries, window, settings.window_repositories, clock)
    return Stage(
        NAME,
        SCAN_REQUESTED,
        lister.list_repositories,
        lister.give_up,
        order=lambda request: request.request,  # the scan: one of a tag does not wait for a full one
        registry=lambda request: request.registry,
    )


@dataclass(frozen=True)
class _Lister:
    registries: RegistryAccess[ReadsCatalogs]
    window: LimitsUnfinished
    most_unfinished: int
    clock: Callable[[], datetime]

    async def list_repositories(self, request: ScanRequested) -> AsyncIterator[Message]:
        """Yield the scan's repositories, each catalog page after its names, and the continuation where one is due."""
        connection = await self.registries.connection(request.registry, request.connection)
        context = _context(request, connection)
        for started in self._started(request, context):
            yield started
        if connection is None or not connection.is_active:
            yield _unread(context, _first_page(request), why_skipped(request.registry, connection))
        elif request.kind is not ScanKind.FULL:
            for message in _targeted(request, context):
                yield message
        else:
            async with aclosing(self._catalog(request, context, connection)) as messages:
                async for message in messages:
                    yield message

    def give_up(self, request: ScanRequested, error: TallymanError) -> Iterator[Message]:
        """Yield the end of a catalog that could not be read, so that the scan ends.

        Its page comes after all that the message's earlier workings can have told: none is told twice.
        """
        context = _context(request, self.registries.connection_now(request.registry))
        yield from self._started(request, context)
        yield _unread(context, _first_page(request) + PAGES_AT_MOST, failure(_CATALOG, error))

    def _started(self, request: ScanRequested, context: ScanContext) -> Iterator[Message]:
        if request.continues is None:
            yield _told(context, ScanStarted(request=request.request, reason=request.reason, at=self.clock()))

    async def _catalog(
        self, request: ScanRequested, context: ScanContext, connection: Connection
    ) -> AsyncGenerator[Message, None]:
        """Yield what a few answers hold; the rest is the continuation's."""
        cursor = request.continues.after if request.continues else None
        page, seen = _first_page(request), set[str]()
        for answers in count(1):
            try:
                with metered() as meter:
                    answer = await self._answer(connection, cursor)
            except TallymanError as error:
                yield _unread(context, page, failure(_CATALOG, error), requests=meter.requests)
                return
            cursor = answer.cursor
            names = [name for name in dict.fromkeys(answer.names) if name not in seen]
            seen.update(names)
            for told in _pages(names, page, last=cursor is None, requests=meter.requests):
                for name in told.names:
                    yield await self._sent_on(context, connection, name)
                # A list of the connection's own says nothing of what is not on it.
                yield _told(context, told.model_copy(update={"proves": not connection.repositories}))
                page = told.page + 1
            if cursor is None:
                return
            if answers == ANSWERS_PER_MESSAGE or len(seen) >= NAMES_PER_MESSAGE:
                yield _continuation(request, context, cursor, page)
                return

    async def _answer(self, connection: Connection, cursor: str | None) -> Page:
        """Return the next names, of the registry's catalog or of the connection's own list."""
        check_source(connection, cursor)
        if connection.repositories:
            return Page(*listed_names(connection.repositories, cursor))
        return await self.registries.client(connection).catalog(cursor)

    async def _sent_on(self, context: ScanContext, connection: Connection, repository: str) -> Message:
        """Return the repository to be listed, once the window has room for it, or that it is left out."""
        if not is_selected(connection, repository):
            return unit_skipped(context, repository, Failure(what=repository, reason=REASON_FILTERED))
        await self.window.enter(context, repository, width(connection, self.most_unfinished))
        return RepositoryFound(context=context, repository=repository)


def _context(request: ScanRequested, connection: Connection | None) -> ScanContext:
    """Return the scan's context. A deleted registry has no scan base, and its scans nothing to be ordered among."""
    return request.context(connection.scan_base if connection else _FIRST_SCAN_BASE)


def _first_page(request: ScanRequested) -> int:
    return request.continues.page if request.continues else 0


def _told(context: ScanContext, progress: Progress) -> ScanProgressed:
    return ScanProgressed(context=context, progress=progress)


def _pages(names: Sequence[str], first: int, *, last: bool, requests: int) -> Iterator[CatalogPage]:
    """Yield the names of an answer in pages, numbered from `first`; with `last`, the last one closes the catalog."""
    for start in range(0, max(1, len(names)), NAMES_PER_PAGE):
        end = start + NAMES_PER_PAGE
        part = tuple(names[start:end])
        yield CatalogPage(page=first, names=part, last=last and end >= len(names), requests=requests)
        first, requests = first + 1, 0


def _unread(context: ScanContext, page: int, why: Failure, requests: int = 0) -> ScanProgressed:
    """Return the end of a catalog that was not read whole: it proves nothing absent."""
    progress = CatalogPage(page=page, last=True, complete=False, proves=False, failures=(why,), requests=requests)
    return _told(context, progress)


def _targeted(request: ScanRequested, context: ScanContext) -> Iterator[Message]:
    """Yield the one repository of a one-repository or one-tag scan, and the catalog page that names it."""
    if request.repository is None or (request.kind is ScanKind.TAG and request.tag is None):
        raise PermanentError(
            f"A scan of a {request.kind} must name it: ask again with its name.", reason=REASON_INCOMPLETE_REQUEST
        )
    tag = request.tag if request.kind is ScanKind.TAG else None
    yield RepositoryFound(context=context, repository=request.repository, tag=tag)
    yield _told(context, CatalogPage(page=0, names=(request.repository,), last=True, proves=False))


def _continuation(request: ScanRequested, context: ScanContext, cursor: str, page: int) -> ScanRequested:
    return request.model_copy(update={"continues": CatalogCursor(scan=context.scan, after=cursor, page=page)})
