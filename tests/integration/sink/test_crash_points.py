"""Whoever works a partition dies at each step of it, for every type of event, and wakes up once another has taken over.

A sleeper is a crash to everybody else: nothing of its transaction is aborted, its producer lives. Awake, it goes on
from where it was, and has to find out that the partition is no longer its own.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable

import pytest
from aiokafka.errors import ProducerFenced

from services.sink.ports import Work
from shared.messages.images_observed import ImagesObserved, ObservedManifest, ObservedTag
from shared.messages.model import Message, Reading
from shared.messages.scan_progressed import CatalogClosed, CatalogPage, ScanStarted, UnitOutcome, UnitReported
from shared.messages.topics import IMAGES_OBSERVED, SCAN_PROGRESSED, Topic
from shared.settings import Settings
from shared.store import Store
from tests.integration.sink.stepping import SteppedStore, Steps, stepped_producer
from tests.integration.sink.working import (
    Estate,
    Heard,
    header,
    index_of,
    listening,
    listings_of,
    outside_the_group,
    progress_of,
    put,
    sink,
)

BEGIN = ["before begin", "after begin"]
END = ["before offsets", "after offsets", "before commit", "after commit"]


def sends(batches: int) -> list[str]:
    """The steps of sending so many batches: there is one for each topic."""
    return [f"{when} send {number}" for number in range(batches) for when in ("before", "after")]


LISTING_TABLES = (*("listing_pages", "outbox", "index_children", "images", "tag_history", "tags", "repositories"),)
LISTING_STEPS = [f"{when} insert {table}" for table in LISTING_TABLES for when in ("before", "after")]
LISTING_STEPS += [*BEGIN, *sends(4), *END]

PROGRESS_STEPS = [f"{when} insert {table}" for table in ("scan_units", "outbox") for when in ("before", "after")]
PROGRESS_STEPS += [*BEGIN, *sends(2), *END]

LISTINGS_TELL = Counter(
    {
        "image.discovered": 4,
        "tag.created": 4,
        "tag.moved": 1,
        "tag.removed": 2,
        "image.removed": 3,
        "image.reappeared": 1,
    }
)
"""What the listings below tell: of a and b, and of an index's two images, which come, move, go and come back."""


def listings(estate: Estate) -> list[ImagesObserved]:
    """Three scans of one repository, the first a reading of two pages, which together tell every type of event."""
    first = estate.observed("app", {"1": "a", "2": "b"}, context=estate.context(1, shards=1))
    index, members = index_of("pair", "amd64", "arm64")
    second = first.model_copy(
        update={
            "reading": Reading(id="app 1", leg="leg", page=1, last=True),
            "tags": (ObservedTag(name="multi", digest=index.digest),),
            "manifests": (index, *members),
        }
    )
    page = first.model_copy(update={"reading": Reading(id="app 1", leg="leg", page=0, last=False)})
    manifests: tuple[ObservedManifest, ...] = second.manifests
    later = estate.observed("app", {"1": "b"}, context=estate.context(2, shards=1))
    moved = later.model_copy(
        update={
            "tags": (*later.tags, ObservedTag(name="multi", digest=index.digest)),
            "manifests": (*later.manifests, *manifests),
        }
    )
    back = estate.observed("app", {"1": "b", "3": "a"}, context=estate.context(3, shards=1))
    return [page, second, moved, back]


def steps_of_scans(estate: Estate) -> list[Message]:
    """A scan that completes and one whose catalog failed, to their ends: the closed catalogs are here already."""
    started = ScanStarted(request="r", reason="manual", at=estate.observed("app", {}).observed_at)  # type: ignore[arg-type]
    catalog = CatalogPage(page=0, names=("app",), last=True, proves=False)
    unit = UnitReported(repository="app", outcome=UnitOutcome.STORED)
    failed = CatalogPage(page=0, last=True, complete=False, proves=False)
    return [
        *(estate.progressed(step, 1) for step in (started, catalog, CatalogClosed(complete=True), unit)),
        *(estate.progressed(step, 2) for step in (started, failed, CatalogClosed(complete=False))),
    ]


async def slept_through(
    settings: Settings,
    store: Store,
    steps: Steps,
    topic: Topic[Message],
    work: Work[Message],
    enough: Counter[str],
) -> Heard:
    """Let a partition's owner fall asleep at a step, another take over, and the sleeper wake; return what was told."""
    async with listening(settings) as heard:
        owner = outside_the_group(settings, topic, 0, work, stepped_producer(steps))
        sleeper = await owner.__aenter__()
        async with asyncio.timeout(30):
            await steps.asleep.wait()
        try:
            async with sink(settings, store):
                await heard.until(lambda: told(heard, enough) >= enough)
                steps.awake.set()
                await asyncio.wait((sleeper,), timeout=0.5)
                await asyncio.sleep(0.2)
        finally:
            steps.awake.set()
            await owner.__aexit__(None, None, None)
        if sleeper.done() and not sleeper.cancelled():
            assert isinstance(sleeper.exception(), ProducerFenced)
    return heard


def told(heard: Heard, kinds: Iterable[str]) -> Counter[str]:
    return Counter(kind for kind in heard.types if kind in kinds)


def assert_told_once(heard: Heard, expected: Counter[str]) -> None:
    assert len(heard.ids) == len(set(heard.ids))
    assert told(heard, expected) == expected
    assert {header(event, "ce_specversion") for event in heard.events} == {"1.0"}


@pytest.mark.parametrize("step", LISTING_STEPS)
async def test_every_event_of_listings_is_told_once_whoever_dies_where(
    settings: Settings, embedded_store: Store, estate: Estate, step: str
) -> None:
    await put(settings, *listings(estate))
    steps = Steps(step)
    work = listings_of(SteppedStore(embedded_store, steps))
    heard = await slept_through(settings, embedded_store, steps, IMAGES_OBSERVED, work, LISTINGS_TELL)
    assert_told_once(heard, LISTINGS_TELL)
    assert [step.scan for step in (message.context for message in heard.progress)] == [1, 2, 3]


@pytest.mark.parametrize("step", PROGRESS_STEPS)
async def test_the_end_of_a_scan_is_told_once_whoever_dies_where(
    settings: Settings, embedded_store: Store, estate: Estate, step: str
) -> None:
    expected = Counter({"scan.completed": 1, "scan.failed": 1})
    await put(settings, *steps_of_scans(estate))
    steps = Steps(step)
    work = progress_of(settings, SteppedStore(embedded_store, steps))
    heard = await slept_through(settings, embedded_store, steps, SCAN_PROGRESSED, work, expected)
    assert_told_once(heard, expected)


async def test_those_are_all_the_steps_there_are(settings: Settings, embedded_store: Store, estate: Estate) -> None:
    steps = Steps()
    await put(settings, *listings(estate))
    async with listening(settings) as heard:
        work = listings_of(SteppedStore(embedded_store, steps))
        async with outside_the_group(settings, IMAGES_OBSERVED, 0, work, stepped_producer(steps)):
            await heard.until(lambda: told(heard, LISTINGS_TELL) >= LISTINGS_TELL)
    assert steps.names == LISTING_STEPS
