"""The manifest fetcher: a page of tags in, what they point to out."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from services.access import PassedOver, RegistryAccess, usable
from services.manifester.known_tags import KnownTags, KnowsTags
from services.manifester.lately_read import LatelyRead
from services.manifester.observation import observed, observed_nothing
from services.manifester.page import KnowsConfigs, PageReader, ReadsManifests, SeenPage
from services.manifester.turns import Turns
from services.units import failure, unit_failed, unit_skipped
from shared.errors import TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.model import Failure, Message, ScanContext
from shared.messages.tags_found import TagsFound
from shared.messages.topics import TAGS_FOUND
from shared.oci.config import ParsedConfig
from shared.oci.digest import Digest
from shared.oci.manifest import Parsed
from shared.pipeline.stage import Stage
from shared.registry.meter import metered

NAME: Final = "manifester"


class KnowsDigests(KnowsTags, KnowsConfigs, Protocol):
    """All that the store tells this stage."""


def manifester_stage(
    registries: RegistryAccess[ReadsManifests], store: KnowsDigests, clock: Callable[[], datetime]
) -> Stage[TagsFound]:
    """Return the stage. clock: the time in UTC, for people."""
    manifester = _Manifester(registries, store, KnownTags(store), clock, LatelyRead(), LatelyRead(), Turns())
    return Stage(
        NAME,
        TAGS_FOUND,
        manifester.observe,
        manifester.give_up,
        order=lambda page: page.repository,
        registry=lambda page: page.context.registry,
        unreadable=_unreadable,
    )


@dataclass(frozen=True)
class _Manifester:
    registries: RegistryAccess[ReadsManifests]
    store: KnowsConfigs
    known: KnownTags
    clock: Callable[[], datetime]
    configs: LatelyRead[Digest, ParsedConfig]
    members: LatelyRead[Digest, Parsed]
    turns: Turns

    async def observe(self, page: TagsFound) -> AsyncIterator[Message]:
        """Yield the one observation of the page, or that its registry is not asked anything."""
        context = page.context
        known = await self.registries.connection(context.registry, context.connection)
        connection = usable(context.registry, known, context.scan)
        if isinstance(connection, Failure):
            yield unit_skipped(context, page.repository, connection)
            return
        try:
            with metered() as meter:
                seen = await self._seen(page, connection)
            self.registries.check_wanted(context.registry, context.scan)
        except PassedOver as error:
            yield unit_skipped(context, page.repository, error.why)
            return
        yield observed(page, seen, meter.requests, self.clock())

    def give_up(self, page: TagsFound, error: TallymanError) -> Iterator[Message]:
        """Yield the observation of the page with all its tags failed, so that the reading is whole all the same."""
        yield observed_nothing(page, error, self.clock())

    async def _seen(self, page: TagsFound, connection: Connection) -> SeenPage:
        if not page.tags:
            return SeenPage()
        try:
            client = self.registries.client(connection)
        except TallymanError as error:
            return SeenPage(failed={tag.name: error for tag in page.tags})
        turns = self.turns.of(connection)
        wanted = partial(self.registries.check_wanted, page.context.registry, page.context.scan)
        return await PageReader(page, client, self.store, self.known, self.configs, self.members, turns, wanted).read()


def _unreadable(context: ScanContext, repository: str | None, error: TallymanError) -> Iterator[Message]:
    if repository is not None:
        yield unit_failed(context, repository, failure(repository, error))
