"""One page of tags read: what each tag points to, and the facts of what the store does not know."""

import asyncio
from asyncio import Semaphore
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol

from services.manifester.expansion import configs_of, unread
from services.manifester.known_tags import KnownTags
from services.manifester.lately_read import LatelyRead
from services.readings import family_of
from shared.errors import TallymanError
from shared.messages.images_observed import ObservedManifest
from shared.messages.tags_found import FoundTag, TagsFound
from shared.oci.config import ParsedConfig, parse_config
from shared.oci.digest import Digest
from shared.oci.manifest import Parsed, ParsedIndex, parse_manifest
from shared.oci.platform import Platform
from shared.registry.client import FetchedManifest, Unchanged
from shared.registry.errors import ManifestGone
from shared.store.rows import ConfigRow


class ReadsManifests(Protocol):
    """The manifester's part of a dialect (`shared.registry.dialect`)."""

    async def image(self, repository: str, tag: FoundTag) -> tuple[ObservedManifest, ...]: ...

    async def manifest(
        self, repository: str, reference: str, known: Digest | None = None
    ) -> FetchedManifest | Unchanged: ...

    async def config(self, repository: str, digest: Digest) -> bytes: ...


class KnowsConfigs(Protocol):
    """What the store tells (`shared.store`). While it does not answer, the page waits."""

    async def known_configs(self, registry: str, digests: Collection[Digest]) -> Mapping[Digest, ConfigRow]: ...


@dataclass(frozen=True)
class SeenTag:
    """What a tag points to.

    parsed: its manifest, where that was read.  told: what the product told instead, the manifest's own facts first.
    Neither: the store knows the digest's facts.
    """

    digest: Digest
    parsed: Parsed | None = None
    told: tuple[ObservedManifest, ...] = ()


@dataclass(frozen=True)
class SeenPage:
    """What each tag of a page came to, by name, and the manifests and configs that tell what they are.

    gone: listed, and unknown to the registry twice since.  failed: why the tag's digest, or its facts, were not got.
    """

    tags: dict[str, SeenTag] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    failed: dict[str, TallymanError] = field(default_factory=dict)
    manifests: dict[Digest, Parsed | TallymanError] = field(default_factory=dict)
    configs: dict[Digest, ParsedConfig | TallymanError] = field(default_factory=dict)

    def fail(self, tag: str, error: TallymanError) -> None:
        """Take the tag as failed."""
        self.tags.pop(tag, None)
        self.failed[tag] = error


@dataclass(frozen=True)
class PageReader:
    """Reads one page.

    known: what the store knows of tags.
    configs, members (manifests of indexes): those that any page of the process has read.
    turns: bounds the requests under way, over all pages.
    check_wanted: raises, before each request, once nobody wants the page any more.
    """

    page: TagsFound
    client: ReadsManifests
    store: KnowsConfigs
    known: KnownTags
    configs: LatelyRead[Digest, ParsedConfig]
    members: LatelyRead[Digest, Parsed]
    turns: Semaphore
    check_wanted: Callable[[], None]
    seen: SeenPage = field(default_factory=SeenPage)

    async def read(self) -> SeenPage:
        """Return what the page's tags came to. Raises what the store raises; a registry's errors are the tag's."""
        known = await self.known.of(self.page)
        await _side_by_side(self._read_tag(tag, known.get(tag.name)) for tag in self.page.tags)
        while missing := self._members_to_read():
            await _side_by_side(self._read_member(digest) for digest in missing)
        await self._read_configs()
        return self.seen

    @property
    def _registry(self) -> str:
        return self.page.context.registry

    async def _read_tag(self, tag: FoundTag, known: Digest | None) -> None:
        try:
            self.seen.tags[tag.name] = await self._seen_tag(tag, known)
        except ManifestGone:
            self.seen.gone.add(tag.name)
        except TallymanError as error:
            self.seen.fail(tag.name, error)

    async def _seen_tag(self, tag: FoundTag, known: Digest | None) -> SeenTag:
        """Return what the tag points to. Raises ManifestGone where the registry denies twice to have it."""
        if known is not None and tag.digest == known:
            return SeenTag(known)
        if tag.digest and (told := family_of(tag.digest, self._told) or await self._image(tag)):
            return SeenTag(told[0].digest, told=() if told[0].digest == known else told)
        try:
            answer = await self._manifest(tag.digest or tag.name, known)
        except ManifestGone:
            answer = await self._manifest(tag.name, known)  # by the name: the tag may have moved since it was listed
        if isinstance(answer, Unchanged) or answer.digest == known:
            return SeenTag(answer.digest)
        return SeenTag(answer.digest, parse_manifest(answer.body, answer.media_type, tag=tag.name))

    def _members_to_read(self) -> set[Digest]:
        """Return what lies one level further down in the page's indexes and does not tell what it is."""
        missing: set[Digest] = set()
        for name, tag in list(self.seen.tags.items()):
            try:
                if isinstance(tag.parsed, ParsedIndex):
                    missing.update(unread(tag.parsed, self.seen.manifests))
            except TallymanError as error:
                self.seen.fail(name, error)
        return missing

    async def _read_member(self, digest: Digest) -> None:
        try:
            self.seen.manifests[digest] = await self.members.read_once(
                self._registry, digest, partial(self._member, digest)
            )
        except TallymanError as error:
            self.seen.manifests[digest] = error

    async def _read_configs(self) -> None:
        """Get each config once: from memory, else all at once from the store, else from the registry."""
        parsed = [tag.parsed for tag in self.seen.tags.values() if tag.parsed]
        wanted = {digest for manifest in parsed for digest in configs_of(manifest, self.seen.manifests)}
        found = self.configs.known(self._registry, wanted)
        if missing := wanted - found.keys():
            stored = _parsed(await self.store.known_configs(self._registry, missing))
            self.configs.keep(self._registry, stored)
            found |= stored
        self.seen.configs.update(found)
        await _side_by_side(self._read_config(digest) for digest in wanted - found.keys())

    async def _read_config(self, digest: Digest) -> None:
        try:
            self.seen.configs[digest] = await self.configs.read_once(
                self._registry, digest, partial(self._config, digest)
            )
        except TallymanError as error:
            self.seen.configs[digest] = error

    @cached_property
    def _told(self) -> Mapping[Digest, ObservedManifest]:
        return {manifest.digest: manifest for manifest in self.page.told}

    async def _image(self, tag: FoundTag) -> tuple[ObservedManifest, ...]:
        async with self.turns:
            self.check_wanted()
            return await self.client.image(self.page.repository, tag)

    async def _manifest(self, reference: str, known: Digest | None) -> FetchedManifest | Unchanged:
        async with self.turns:
            self.check_wanted()
            return await self.client.manifest(self.page.repository, reference, known)

    async def _member(self, digest: Digest) -> Parsed:
        answer = await self._manifest(digest, None)
        assert not isinstance(answer, Unchanged)  # nothing was said to be known
        return parse_manifest(answer.body, answer.media_type)

    async def _config(self, digest: Digest) -> ParsedConfig:
        async with self.turns:
            self.check_wanted()
            body = await self.client.config(self.page.repository, digest)
        return parse_config(body)


def _parsed(rows: Mapping[Digest, ConfigRow]) -> dict[Digest, ParsedConfig]:
    return {digest: ParsedConfig(_platform(row), row.created) for digest, row in rows.items()}


def _platform(row: ConfigRow) -> Platform:
    return Platform(os=row.os, architecture=row.architecture, variant=row.variant, os_version=row.os_version)


async def _side_by_side(work: Iterable[Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(each)
