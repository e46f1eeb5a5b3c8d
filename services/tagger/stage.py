"""The tag lister: a repository in, the pages of one reading of its tags out."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol

from services.access import RegistryAccess, why_skipped
from services.tagger.readings import Leg, leg_of
from services.units import failure, unit_failed, unit_skipped
from shared.errors import TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.model import Message, ScanContext, ScanKind
from shared.messages.repository_found import RepositoryFound
from shared.messages.topics import REPOSITORY_FOUND
from shared.pipeline.stage import Stage
from shared.registry.errors import RepositoryGone
from shared.registry.meter import metered
from shared.registry.pagination import Page

NAME: Final = "tagger"

PAGES_PER_MESSAGE: Final = 20
ANSWERS_PER_MESSAGE: Final = 20
"""A message ends, and a continuation goes on, after so many pages or answers of the registry. How long a list may
be at all is the client's to say."""

_NO_TAGS: Final = Page(names=(), cursor=None)


class ListsTags(Protocol):
    """The tagger's part of a registry's client."""

    async def tags(self, repository: str, cursor: str | None) -> Page: ...


def tagger_stage(registries: RegistryAccess[ListsTags], fresh_id: Callable[[], str]) -> Stage[RepositoryFound]:
    """Return the stage. fresh_id: makes a random id, never the same twice."""
    tagger = _Tagger(registries, fresh_id)
    return Stage(
        NAME,
        REPOSITORY_FOUND,
        tagger.list_tags,
        tagger.give_up,
        order=lambda found: found.repository,
        registry=lambda found: found.context.registry,
        unreadable=_unreadable,
    )


@dataclass(frozen=True)
class _Tagger:
    registries: RegistryAccess[ListsTags]
    fresh_id: Callable[[], str]

    async def list_tags(self, found: RepositoryFound) -> AsyncIterator[Message]:
        """Yield the pages that this message's working makes, and the continuation where one is due."""
        context = found.context
        connection = await self.registries.connection(context.registry, context.connection)
        if connection is None or not connection.is_active:
            yield unit_skipped(context, found.repository, why_skipped(context.registry, connection))
            return
        leg = leg_of(found, self.fresh_id())
        if found.tag is not None:
            for page in leg.pages((found.tag,), last=True):
                yield page
            return
        async with aclosing(self._read(leg, connection)) as messages:
            async for message in messages:
                yield message

    def give_up(self, found: RepositoryFound, error: TallymanError) -> Iterator[Message]:
        """Yield the page that closes the reading, so that its unit ends as failed."""
        yield leg_of(found, self.fresh_id()).closed(failure(found.repository, error))

    async def _read(self, leg: Leg, connection: Connection) -> AsyncGenerator[Message, None]:
        cursor = leg.found.continues.after if leg.found.continues else None
        for answers in count(1):
            try:
                answer = await self._believed(leg, connection, cursor)
            except TallymanError as error:
                yield leg.closed(failure(leg.found.repository, error))
                return
            cursor = answer.cursor
            for page in leg.pages(leg.fresh(answer.names), last=cursor is None):
                yield page
            if cursor is None:
                return
            if leg.made >= PAGES_PER_MESSAGE or (leg.made and answers >= ANSWERS_PER_MESSAGE):
                yield leg.continuation(cursor)
                return

    async def _believed(self, leg: Leg, connection: Connection, cursor: str | None) -> Page:
        """Return the registry's answer; that a repository has no tags at all is believed when it is told twice."""
        answer = await self._answer(leg, connection, cursor)
        if cursor is None and answer.cursor is None and not answer.names:
            return await self._answer(leg, connection, cursor)
        return answer

    async def _answer(self, leg: Leg, connection: Connection, cursor: str | None) -> Page:
        """Return what the registry answers: no tags where it does not know a repository that it has just named itself.

        A name that a person gave may be wrong, and a list that breaks off in the middle says nothing of its rest.
        """
        named_itself = leg.found.context.kind is ScanKind.FULL and not connection.repositories
        with metered() as meter:
            try:
                return await self.registries.client(connection).tags(leg.found.repository, cursor)
            except RepositoryGone:
                if named_itself and cursor is None:
                    return _NO_TAGS
                raise
            finally:
                leg.owed += meter.requests


def _unreadable(context: ScanContext, repository: str | None, error: TallymanError) -> Iterator[Message]:
    if repository is not None:
        yield unit_failed(context, repository, failure(repository, error))
