"""The catalog lister: a scan's request in, the repositories to be listed out."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from services.access import RegistryAccess, usable
from services.lister.catalog import CatalogDraft, first_page
from services.lister.selection import REASON_FILTERED, check_source, listed_names
from services.lister.window import width
from services.readings import first_leg
from services.scope import is_repository_in_scope, scoped_whole
from services.units import failure, unit_skipped
from shared.errors import PermanentError, TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.model import Failure, Message, ScanContext, ScanKind
from shared.messages.repository_found import RepositoryFound
from shared.messages.scan_progressed import CatalogPage, Progress, ScanProgressed, ScanStarted
from shared.messages.scan_requested import CatalogCursor, ScanRequested
from shared.messages.topics import SCAN_REQUESTED
from shared.pipeline.stage import Stage
from shared.registry.dialect import Listing, RepositoriesPage
from shared.registry.meter import metered
from shared.settings import Settings

NAME: Final = "lister"

PAGES_AT_MOST: Final = 1_000_000
"""More pages than any message makes, be it of a product that tells all at once."""

REASON_INCOMPLETE_REQUEST: Final = "request_incomplete"

_CATALOG: Final = "catalog"
_FIRST_SCAN_BASE: Final = 1


class ReadsCatalogs(Protocol):
    """The lister's part of a dialect (`shared.registry.dialect`)."""

    def repositories(self, cursor: str | None) -> AsyncGenerator[RepositoriesPage, None]: ...


class LimitsUnfinished(Protocol):
    """Lets a repository through once few enough of its registry are unfinished (`services.lister.window`)."""

    async def enter(self, context: ScanContext, repository: str, most: int) -> None: ...


def lister_stage(
    registries: RegistryAccess[ReadsCatalogs],
    window: LimitsUnfinished,
    settings: Settings,
    clock: Callable[[], datetime],
    fresh_id: Callable[[], str],
) -> Stage[ScanRequested]:
    """Return the stage. clock: the time in UTC, for people.  fresh_id: makes a random id, never the same twice."""
    lister = _Lister(registries, window, settings.window_repositories, clock, fresh_id)
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
    fresh_id: Callable[[], str]

    async def list_repositories(self, request: ScanRequested) -> AsyncIterator[Message]:
        """Yield the scan's repositories, each catalog page after its names, and the continuation where one is due."""
        known = await self.registries.connection(request.registry, request.connection)
        context = _context(request, known)
        for started in self._started(request, context):
            yield started
        connection = usable(request.registry, known, context.scan)
        if isinstance(connection, Failure):
            yield _unread(context, first_page(request), connection)
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
        yield _unread(context, first_page(request) + PAGES_AT_MOST, failure(_CATALOG, error))

    def _started(self, request: ScanRequested, context: ScanContext) -> Iterator[Message]:
        if request.continues is None:
            yield _told(context, ScanStarted(request=request.request, reason=request.reason, at=self.clock()))

    async def _catalog(
        self, request: ScanRequested, context: ScanContext, connection: Connection
    ) -> AsyncGenerator[Message, None]:
        """Yield what a few answers hold; the rest is the continuation's."""
        draft = CatalogDraft(request, proves=not connection.repositories)
        async with aclosing(self._answers(connection, request.continues)) as answers:
            while True:
                try:
                    with metered() as meter:
                        answer = await anext(answers, None)
                except TallymanError as error:
                    yield _unread(context, draft.page, failure(_CATALOG, error), requests=meter.requests)
                    return
                if answer is None:
                    yield _told(context, draft.closed(meter.requests))
                    return
                listings = {listing.repository: listing for listing in answer.listings}
                for told in draft.pages(answer, meter.requests):
                    for name in told.names:
                        async for message in self._sent_on(context, connection, name, listings.get(name)):
                            yield message
                    yield _told(context, told)
                if answer.cursor is not None and draft.is_long:
                    yield draft.continuation(context, answer.cursor)
                    return

    async def _answers(
        self, connection: Connection, at: CatalogCursor | None
    ) -> AsyncGenerator[RepositoriesPage, None]:
        """Yield the next names, of the registry's catalog or of the connection's own list."""
        cursor = at.after if at else None
        check_source(connection, cursor)
        if connection.repositories:
            for page in listed_names(connection.repositories, cursor):
                yield page
            return
        async with aclosing(self.registries.client(connection).repositories(cursor)) as pages:
            async for page in pages:
                yield page

    async def _sent_on(
        self, context: ScanContext, connection: Connection, repository: str, listing: Listing | None
    ) -> AsyncIterator[Message]:
        """Yield the repository to be listed, or the pages of its listing, once the window has room for it.

        That a repository has no tags at all is for the tagger to ask: it believes that when it is told twice.
        """
        if not is_repository_in_scope(connection, repository):
            yield unit_skipped(context, repository, Failure(what=repository, reason=REASON_FILTERED))
            return
        await self.window.enter(context, repository, width(connection, self.most_unfinished))
        if listing is None or not listing.tags:
            yield RepositoryFound(context=context, repository=repository)
            return
        leg = first_leg(context, repository, self.fresh_id())
        within = scoped_whole(connection, leg.fresh(listing.tags))
        for page in leg.pages(within.tags, listing.told, last=True, out=within.out):
            yield page


def _context(request: ScanRequested, connection: Connection | None) -> ScanContext:
    """Return the scan's context. A deleted registry has no scan base, and its scans nothing to be ordered among."""
    return request.context(connection.scan_base if connection else _FIRST_SCAN_BASE)


def _told(context: ScanContext, progress: Progress) -> ScanProgressed:
    return ScanProgressed(context=context, progress=progress)


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
