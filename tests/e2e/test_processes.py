"""The distributed form on a real broker and a real ClickHouse server: the same inventory, whoever is killed midway."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest_asyncio

from shared.messages.topics import dead_letter
from shared.settings import Settings
from shared.store import Store
from tests.e2e import truth
from tests.e2e.agreement import assert_counts, assert_events, assert_scan_shown, assert_shown
from tests.e2e.service_processes import STAGES, Services, running_services
from tests.e2e.tallyman_commands import Tallyman
from tests.support.generator import Estate, generate
from tests.support.generator_storage import Storage
from tests.support.registry import Registry, memory_folder, running_registry
from tests.support.worker import records_of

PARTITIONS = 8


@pytest_asyncio.fixture
async def services(environment: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Services]:
    """Two processes of each stage."""
    logs = tmp_path / "logs"
    logs.mkdir()
    async with running_services(environment, logs, each=2) as running:
        yield running


@pytest_asyncio.fixture
async def store(settings: Settings, services: Services) -> AsyncIterator[Store]:
    opened = await Store.open(settings)
    await opened.migrate()
    yield opened
    await opened.close()


async def test_services_of_their_own_tell_an_estate_exactly_though_one_of_each_is_killed_midway(
    distributed: Tallyman, services: Services, store: Store, settings: Settings
) -> None:
    estate = generate(seed=7, repositories=40, tags=800)
    empty = Estate({}, estate.contents)
    with memory_folder() as folder, running_registry(folder, basic=True) as registry:
        Storage(registry.storage).write(estate)
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(load(distributed, registry, max_rps=40))
            for share, stages in ((0.15, STAGES[:2]), (0.4, STAGES[2:])):
                await stored(store, share * 800, loading, services)
                for stage in stages:
                    await services.kill(stage, 0)
                    await services.start(stage, 0)
        first = loading.result()
        assert_counts(first, estate, truth.changes(empty, estate))
        await assert_shown(distributed, "estate", estate)
        await assert_scan_shown(distributed, first)
        events = await assert_events(distributed, first, registry.url, truth.changes(empty, estate))

        second = await load(distributed, registry, max_rps=10_000)
        assert_counts(second, estate, [])
        await assert_shown(distributed, "estate", estate)
        await assert_events(distributed, second, registry.url, [], before=events)
    for stage in STAGES:
        assert await records_of(settings, dead_letter(stage)) == []
    assert list(services.said("error")) == []
    assert not (distributed.data).exists()


async def load(tallyman: Tallyman, registry: Registry, max_rps: int) -> truth.Row:
    """Load with the password; with a low `max_rps` slowly enough for something to happen meanwhile."""
    pace = ("--max-rps", str(max_rps))
    words = ("--name", "estate", "--username", registry.username, "--password-stdin", *pace, "--json")
    (told,) = (await tallyman("load", registry.url, *words, stdin=registry.password + "\n")).objects()
    return told


async def stored(store: Store, tags: float, loading: "asyncio.Task[truth.Row]", services: Services) -> None:
    """Wait until so many tags are stored. Fails where the load, or a service, ends before."""
    async with asyncio.timeout(120):
        while (await store.query("SELECT count() AS tags FROM tags"))[0]["tags"] < tags:
            assert not loading.done(), loading.result()
            assert services.ended() == [], list(services.said("error"))
            await asyncio.sleep(0.1)
