"""The tag lister: a repository in, the pages of one reading of its tags out."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol

from services.access import RegistryAccess, usable
from services.readings import Leg, first_leg, next_leg
from services.scope import scoped, scoped_whole
from services.units import failure, unit_failed, unit_skipped
from shared.errors import TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.images_observed import ObservedManifest
from shared.messages.model import Failure, Message, ScanContext, ScanKind
from shared.messages.repository_found import RepositoryFound
from shared.messages.tags_found import FoundTag
from shared.messages.topics import REPOSITORY_FOUND
from shared.pipeline.stage import Stage
from shared.registry.dialect import TagsPage
from shared.registry.errors import RepositoryGone
from shared.registry.meter import metered

NAME: Final = "tagger"

PAGES_PER_MESSAGE: Final = 20
ANSWERS_PER_MESSAGE: Final = 20
"""A message ends, and a continuation goes on, after so many pages or answers of the registry. How long a list may
be at all is the client's to say."""


class ListsTags(Protocol):
    """The tagger's part of a dialect (`shared.registry.dialect`)."""

    async def tags(self, repository: str, cursor: str | None) -> TagsPage: ...


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
        known = await self.registries.connection(context.registry, context.connection)
        connection = usable(context.registry, known, context.scan)
        if isinstance(connection, Failure):
            yield unit_skipped(context, found.repository, connection)
            return
        leg = _leg_of(found, self.fresh_id())
        if found.tag is not None:
            within = scoped(connection, (FoundTag(name=found.tag),))
            for page in leg.pages(within.tags, last=True, out=within.out):
                yield page
            return
        async with aclosing(self._read(found, leg, connection)) as messages:
            async for message in messages:
                yield message

    def give_up(self, found: RepositoryFound, error: TallymanError) -> Iterator[Message]:
        """Yield the page that closes the reading, so that its unit ends as failed."""
        yield _leg_of(found, self.fresh_id()).closed(failure(found.repository, error))

    async def _read(self, found: RepositoryFound, leg: Leg, connection: Connection) -> AsyncGenerator[Message, None]:
        cursor = found.continues.after if found.continues else None
        if cursor is None and connection.newest_tags:
            async for message in self._read_whole(leg, connection):
                yield message
            return
        for answers in count(1):
            try:
                answer = await self._believed(leg, connection, cursor)
            except TallymanError as error:
                yield leg.closed(failure(leg.repository, error))
                return
            cursor = answer.cursor
            within = scoped(connection, leg.fresh(answer.tags))
            for page in leg.pages(within.tags, answer.told, last=cursor is None, out=within.out):
                yield page
            if cursor is None:
                return
            if leg.made >= PAGES_PER_MESSAGE or (leg.made and answers >= ANSWERS_PER_MESSAGE):
                yield found.model_copy(update={"continues": leg.cut(cursor)})
                return

    async def _read_whole(self, leg: Leg, connection: Connection) -> AsyncGenerator[Message, None]:
        """Yield the pages of a list that is decided at its end: which tags are the newest shows only there."""
        tags: list[FoundTag] = []
        told: list[ObservedManifest] = []
        cursor: str | None = None
        while True:
            try:
                answer = await self._believed(leg, connection, cursor)
            except TallymanError as error:
                yield leg.closed(failure(leg.repository, error))
                return
            tags += leg.fresh(answer.tags)
            told += answer.told
            cursor = answer.cursor
            if cursor is None:
                break
        within = scoped_whole(connection, tags)
        for page in leg.pages(within.tags, told, last=True, out=within.out):
            yield page

    async def _believed(self, leg: Leg, connection: Connection, cursor: str | None) -> TagsPage:
        """Return the registry's answer; that a repository has no tags at all is believed when it is told twice."""
        answer = await self._answer(leg, connection, cursor)
        if cursor is None and answer.cursor is None and not answer.tags:
            return await self._answer(leg, connection, cursor)
        return answer

    async def _answer(self, leg: Leg, connection: Connection, cursor: str | None) -> TagsPage:
        """Return what the registry answers: no tags where it does not know a repository that it has just named itself.

        A name that a person gave may be wrong, unless that person has confirmed that it is gone; and a list that breaks
        off in the middle says nothing of its rest.
        """
        named_itself = (leg.context.kind is ScanKind.FULL and not connection.repositories) or leg.context.confirmed
        with metered() as meter:
            try:
                return await self.registries.client(connection).tags(leg.repository, cursor)
            except RepositoryGone:
                if named_itself and cursor is None:
                    return TagsPage()
                raise
            finally:
                leg.owed += meter.requests


def _leg_of(found: RepositoryFound, fresh_id: str) -> Leg:
    """Return a new leg: of the reading that the message continues, or the first of a new one."""
    if found.continues is None:
        return first_leg(found.context, found.repository, fresh_id)
    return next_leg(found.context, found.repository, found.continues, fresh_id)


def _unreadable(context: ScanContext, repository: str | None, error: TallymanError) -> Iterator[Message]:
    if repository is not None:
        yield unit_failed(context, repository, failure(repository, error))
