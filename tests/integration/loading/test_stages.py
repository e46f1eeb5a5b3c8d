"""Lister, tagger and manifester in one process: a generated registry in, observations equal to its truth out."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, TypeVar

import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from services.access import RegistryAccess
from services.lister.progress import progress_heard
from services.lister.stage import lister_stage
from services.lister.window import Window
from services.manifester.stage import manifester_stage
from services.tagger.stage import tagger_stage
from shared.connections.rules import ConnectionSettings
from shared.connections.secrets import Secrets
from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.connections.writer import Saved, ensure_connection
from shared.errors import TallymanError
from shared.messages.codec import decode, encode
from shared.messages.images_observed import ImagesObserved, ObservedManifest
from shared.messages.model import Message, ScanContext
from shared.messages.scan_progressed import CatalogPage, ScanEnded, ScanProgressed, UnitOutcome, UnitReported
from shared.messages.scan_requested import ScanRequested
from shared.messages.topics import CONNECTION_CHANGED, IMAGES_OBSERVED, SCAN_PROGRESSED, SCAN_REQUESTED, Topic
from shared.oci.digest import Digest
from shared.oci.media_types import SCHEMA1_MANIFESTS
from shared.oci.platform import Platform
from shared.pipeline.kafka import client_options
from shared.pipeline.partitioning import key_of, partition_of
from shared.pipeline.stage import Stage
from shared.pipeline.topics import topic_name
from shared.pipeline.worker import run_stage
from shared.registry.clients import OwnBudgets, RegistryClients
from shared.settings import Settings
from tests.fakes.store import FakeStore
from tests.support.broker import PARTITIONS
from tests.support.generator import Estate, generate
from tests.support.generator_storage import Storage
from tests.support.registry import Registry, running_registry
from tests.support.worker import records_of

REPOSITORIES, TAGS, WINDOW = 12, 400, 4
M = TypeVar("M", bound=Message)


class CountingWindow(Window):
    """Notes how many repositories were unfinished at most."""

    most = 0

    async def enter(self, context: ScanContext, repository: str, most: int) -> None:
        await super().enter(context, repository, most)
        self.most = max(self.most, self.unfinished(context.registry))


@dataclass
class Loading:
    """The stages at work."""

    settings: Settings
    window: CountingWindow
    registry: Saved

    async def request(self) -> None:
        """Ask for a full scan."""
        connection = self.registry.connection
        await _send(
            self.settings,
            ScanRequested(
                registry=connection.registry,
                request=token_hex(8),
                requested_at=datetime.now(UTC),
                connection=self.registry.offset,
                slot=connection.slot,
                shards=connection.shards,
                partitions=PARTITIONS,
            ),
        )

    async def heard(self, topic: Topic[M], until: Callable[[list[M]], bool]) -> list[M]:
        """Everything on the topic, once that is enough."""
        async with asyncio.timeout(90):
            while True:
                messages = [decode(topic.message, r.value, r.offset) for r in await records_of(self.settings, topic)]
                if until(messages):
                    return messages
                await asyncio.sleep(0.3)


async def _send(settings: Settings, message: Message) -> None:
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        topic = topic_name(settings, SCAN_REQUESTED)
        await producer.send_and_wait(topic, encode(message), key_of(message), partition_of(message))


def _reporting_stage() -> Stage[ImagesObserved]:
    """In the sink's place: reports a repository as soon as its reading's last page has come."""

    async def report(seen: ImagesObserved) -> AsyncIterator[Message]:
        if seen.reading and seen.reading.last:
            unit = UnitReported(repository=seen.repository, outcome=UnitOutcome.STORED)
            yield ScanProgressed(context=seen.context, progress=unit)

    def give_up(seen: ImagesObserved, error: TallymanError) -> list[Message]:
        raise error

    return Stage(
        "sink",
        IMAGES_OBSERVED,
        report,
        give_up,
        order=lambda seen: seen.repository,
        registry=lambda seen: seen.context.registry,
    )


@asynccontextmanager
async def loading(settings: Settings, registry: Registry, **connection: Any) -> AsyncIterator[Loading]:
    """The three stages, and the one that reports, until the block ends."""
    topic = ConnectionsTopic(client_options(settings), topic_name(settings, CONNECTION_CHANGED), "c" + token_hex(4))
    secrets = Secrets.of(settings)
    changes = ConnectionSettings(
        username=registry.username, password=secrets.encrypt(SecretStr(registry.password)), **connection
    )
    saved = await ensure_connection(topic, registry.url, changes, PARTITIONS)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        view = ConnectionsView(topic)
        await view.start()
        stack.push_async_callback(view.stop)
        clients = RegistryClients(settings, OwnBudgets())
        stack.push_async_callback(clients.close)
        window = CountingWindow(time.monotonic, settings.stall_seconds)
        await stack.enter_async_context(progress_heard(settings, window.hear, stop))
        access = RegistryAccess(view, secrets, clients)
        stages: list[Stage[Any]] = [
            lister_stage(access, window, settings, lambda: datetime.now(UTC), lambda: token_hex(8)),
            tagger_stage(access, lambda: token_hex(8)),
            manifester_stage(access, FakeStore(), lambda: datetime.now(UTC)),
            _reporting_stage(),
        ]
        working = [asyncio.create_task(run_stage(stage, settings, stop)) for stage in stages]
        try:
            yield Loading(settings, window, saved)
        finally:
            stop.set()
            await asyncio.gather(*working)


@pytest.fixture
def estate() -> Estate:
    return generate(seed=11, repositories=REPOSITORIES, tags=TAGS)


async def test_what_the_stages_observe_is_what_the_registry_holds(
    fresh_topics: Settings, estate: Estate, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = fresh_topics.model_copy(update={"window_repositories": WINDOW})
    with running_registry(tmp_path_factory.mktemp("registry"), basic=True) as registry:
        Storage(registry.storage).write(estate)
        async with loading(settings, registry, page_size=7, max_rps=5_000) as work:
            await work.request()
            progress = await work.heard(SCAN_PROGRESSED, _all_reported)
            observed = await work.heard(IMAGES_OBSERVED, lambda _: True)
            assert work.window.most == WINDOW
            assert work.window.unfinished(work.registry.connection.registry) == 0

    named = [name for page in _catalog(progress) for name in page.names]
    assert sorted(named) == sorted(estate.repositories)
    assert [page.last for page in _catalog(progress)].count(True) == 1
    assert all(seen.complete and not seen.failed and not seen.gone for seen in observed)
    for repository, tags in estate.repositories.items():
        pages = [seen for seen in observed if seen.repository == repository]
        assert [page.reading.page for page in pages if page.reading] == list(range(len(pages)))
        assert [page.reading.last for page in pages if page.reading] == [False] * (len(pages) - 1) + [True]
        assert {tag.name: tag.digest for page in pages for tag in page.tags} == tags
        facts = {manifest.digest: manifest for page in pages for manifest in page.manifests}
        assert set(facts) == set(estate.tags_reaching(repository))
        for digest, manifest in facts.items():
            _check_facts(manifest, estate, digest)
    configs = {manifest.config for seen in observed for manifest in seen.manifests if manifest.config}
    members_read = sum(child.platform is None for made in estate.manifests.values() for child in made.children)
    requests = sum(seen.requests for seen in observed)
    listings = sum(len(tags) // 7 + 2 for tags in estate.repositories.values())
    assert requests <= TAGS + len(configs) + members_read * REPOSITORIES + listings


def _all_reported(progress: list[ScanProgressed]) -> bool:
    reported = {step.progress.repository for step in progress if isinstance(step.progress, UnitReported)}
    named = {name for page in _catalog(progress) for name in page.names}
    return any(page.last for page in _catalog(progress)) and named <= reported


def _catalog(progress: list[ScanProgressed]) -> list[CatalogPage]:
    return [step.progress for step in progress if isinstance(step.progress, CatalogPage)]


def _check_facts(manifest: ObservedManifest, estate: Estate, digest: Digest) -> None:
    made = estate.manifests[digest]
    assert (manifest.kind, manifest.artifact_type) == (made.kind, made.artifact_type)
    if made.media_type not in SCHEMA1_MANIFESTS:  # signed or not is a matter of how the registry serves it
        assert manifest.media_type == made.media_type
    assert manifest.size_bytes in (made.size_bytes, None)
    if made.kind == "image":
        assert manifest.platform == made.platform
    for child in manifest.children:
        assert child.platform == (estate.manifests[child.digest].platform or Platform())


async def test_a_rejected_password_ends_the_catalog_with_one_sentence_and_lists_nothing(
    fresh_topics: Settings, basic_registry: Registry
) -> None:
    async with loading(fresh_topics, replace(basic_registry, password="wrong")) as work:
        await work.request()
        progress = await work.heard(SCAN_PROGRESSED, lambda steps: any(page.last for page in _catalog(steps)))
        (page,) = _catalog(progress)
    assert (page.names, page.complete, page.proves) == ((), False, False)
    assert [why.reason for why in page.failures] == ["sign_in_rejected"]
    assert "wrong" not in page.failures[0].detail


async def test_a_message_that_is_no_progress_does_not_stop_whoever_follows(fresh_topics: Settings) -> None:
    context = ScanContext(registry="registry0", scan=1, connection=0, slot=0, shards=1, partitions=PARTITIONS)
    step = ScanProgressed(context=context, progress=ScanEnded(status="complete"))
    topic = topic_name(fresh_topics, SCAN_PROGRESSED)
    heard: list[ScanProgressed] = []
    stop = asyncio.Event()
    async with AIOKafkaProducer(**client_options(fresh_topics)) as producer:
        await producer.send_and_wait(topic, encode(step), partition=0)
        async with progress_heard(fresh_topics, heard.append, stop):
            for value in (b"{", encode(step)):
                await producer.send_and_wait(topic, value, partition=0)
            async with asyncio.timeout(30):
                while not heard:  # noqa: ASYNC110  # what is waited for is a list's first entry
                    await asyncio.sleep(0.05)
            assert not stop.is_set()
    assert heard == [step]  # and none of before it followed
