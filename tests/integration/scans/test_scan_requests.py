"""Scans asked for, not doubled, cancelled, and started by a schedule: on a running system."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from pydantic import SecretStr

from services.lister.schedule import keep_schedule
from services.scan_requests import ConnectionInactive, ScanNotRunning, ScanRequests, ScanRunning, Wanted, due_slot
from services.sink.queues import StageQueues
from services.sweeps import Stretches
from shared.connections.rules import NoSuchConnection, edited_connection
from shared.connections.secrets import Secrets
from shared.connections.view import ConnectionsView
from shared.connections.writer import Saved, delete, ensure_connection, save
from shared.messages.connection_changed import Connection
from shared.messages.connection_notes import ScanAsked
from shared.messages.model import ScanKind
from shared.messages.topics import IMAGE_EVENTS, IMAGE_STATE, TAG_STATE, TopicName
from shared.pipeline.partitioning import registry_partitions
from tallyman.system import System
from tests.fakes.product.server import ProductServer
from tests.support.worker import records_of

SOON_SECONDS = 30


def now() -> datetime:
    return datetime.now(UTC)


def requests_of(system: System) -> ScanRequests:
    return ScanRequests(system.settings, system.installation.topic, system.store)


async def connected(system: System, server: ProductServer, **settings: Any) -> Saved:
    password = Secrets.of(system.settings).encrypt(SecretStr(server.password or ""))
    wanted: Any = {
        "username": server.username,
        "password": password,
        "max_rps": 5_000,
        "name": f"scans-{server.number}",
        **server.connection,
        **settings,
    }
    return await ensure_connection(system.installation.topic, server.url, wanted, system.settings.partitions)


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    """What `look` gives once it is true."""
    async with asyncio.timeout(SOON_SECONDS):
        while True:
            if seen := await look():
                return seen
            await asyncio.sleep(0.05)


async def scans_of(system: System, connection: Connection) -> list[dict[str, Any]]:
    query = "SELECT * FROM scans WHERE registry = {name:String} ORDER BY scan_id"
    return await system.store.query(query, {"name": connection.name})


async def tags_of(system: System, connection: Connection) -> int:
    counted = "SELECT count() AS tags FROM current_tags WHERE registry = {name:String}"
    return int((await system.store.query(counted, {"name": connection.name}))[0]["tags"])


async def ended(system: System, connection: Connection, scan: int) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        rows = await scans_of(system, connection)
        return next((row for row in rows if row["scan_id"] == scan and row["status"] != "running"), None)

    return await eventually(look)  # type: ignore[no-any-return]


async def drained(system: System) -> None:
    """Wait until the stages have committed all that lies on their topics: nothing more can come of it."""
    queues = StageQueues(system.settings)

    async def look() -> bool:
        return all(level.done >= level.end for level in (await queues.levels()).values())

    await eventually(look)


async def test_a_scan_that_is_asked_for_runs_to_its_end(system: System, server: ProductServer) -> None:
    saved = await connected(system, server)
    asked = await requests_of(system).ask(Wanted(saved.connection.registry), now())
    scan = await ended(system, saved.connection, asked.scan)
    assert (scan["status"], scan["kind"], scan["repositories"], scan["repositories_done"]) == ("complete", "full", 8, 8)


async def test_a_running_scan_is_not_doubled_even_by_two_that_ask_at_once(
    system: System, server: ProductServer
) -> None:
    saved = await connected(system, server, max_rps=20)
    outcomes = await asyncio.gather(
        *(requests_of(system).ask(Wanted(saved.connection.registry), now()) for _ in range(3)), return_exceptions=True
    )
    (asked,) = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert [type(error) for error in refused] == [ScanRunning, ScanRunning]
    assert [error.scan for error in refused if isinstance(error, ScanRunning)] == [asked.scan] * 2
    await ended(system, saved.connection, asked.scan)
    again = await requests_of(system).ask(Wanted(saved.connection.registry), now())
    assert again.scan > asked.scan
    await ended(system, saved.connection, again.scan)
    assert len(await scans_of(system, saved.connection)) == 2


async def test_one_repository_is_scanned_beside_a_full_scan_and_not_twice(
    system: System, wide_server: ProductServer
) -> None:
    saved = await connected(system, wide_server, max_rps=50)
    requests, registry = requests_of(system), saved.connection.registry
    full = await requests.ask(Wanted(registry), now())
    sizes = {name: len(tags) for name, tags in wide_server.estate.repositories.items() if tags}
    one = Wanted(registry, ScanKind.REPOSITORY, repository=min(sizes, key=lambda name: sizes[name]))
    targeted = await requests.ask(one, now())
    assert (await ended(system, saved.connection, targeted.scan))["kind"] == "repository"
    await requests.cancel(registry, full.scan, now())
    assert (await ended(system, saved.connection, full.scan))["status"] == "cancelled"


async def test_a_cancelled_scan_ends_at_once_and_what_was_completed_stays(
    system: System, large_server: ProductServer
) -> None:
    saved = await connected(system, large_server, max_rps=50)
    registry = saved.connection.registry
    asked = await requests_of(system).ask(Wanted(registry), now())

    await eventually(partial(tags_of, system, saved.connection))
    await requests_of(system).cancel(registry, asked.scan, now())
    scan = await ended(system, saved.connection, asked.scan)
    assert (scan["status"], scan["failed"]) == ("cancelled", 0)
    assert 0 < await tags_of(system, saved.connection) < 400
    before = large_server.desk.counts().total()
    await drained(system)
    assert large_server.desk.counts().total() - before <= 50, "the stages go on asking for a cancelled scan"
    with pytest.raises(ScanNotRunning):
        await requests_of(system).cancel(registry, asked.scan + 1, now())


async def test_deleting_a_registry_stops_its_scan_and_leaves_its_history(system: System, server: ProductServer) -> None:
    saved = await connected(system, server, max_rps=10)
    asked = await requests_of(system).ask(Wanted(saved.connection.registry), now())

    await eventually(partial(tags_of, system, saved.connection))
    await delete(system.installation.topic, saved.connection.registry)
    await ended(system, saved.connection, asked.scan)
    before = server.desk.counts().total()
    await drained(system)
    assert server.desk.counts().total() == before
    name = {"name": saved.connection.name}

    async def gone() -> bool:
        return await tags_of(system, saved.connection) == 0

    await eventually(gone)
    history = await system.store.query("SELECT count() AS rows FROM tag_moves WHERE registry = {name:String}", name)
    assert history[0]["rows"] > 0


async def test_a_deleted_registry_leaves_the_state_topics_and_nothing_is_told_removed(
    system: System, server: ProductServer
) -> None:
    saved = await connected(system, server, shards=2)
    registry = saved.connection.registry
    asked = await requests_of(system).ask(Wanted(registry), now())
    await ended(system, saved.connection, asked.scan)
    for topic in (IMAGE_STATE, TAG_STATE):
        assert await keys_of(system, topic, registry), f"nothing of it on {topic}"
    await delete(system.installation.topic, registry)

    async def gone() -> bool:
        return not any([await keys_of(system, topic, registry) for topic in (IMAGE_STATE, TAG_STATE)])

    await eventually(gone)
    told = [record for record in await records_on(system, IMAGE_EVENTS) if registry.encode() in record.key]
    assert [r for r in told if b"removed" in dict(r.headers)["ce_type"]] == []

    async def noted() -> bool:
        return await system.store.forgotten(registry) == registry_partitions(
            saved.connection.slot, 2, system.settings.partitions
        )

    await eventually(noted)


async def keys_of(system: System, topic: TopicName, registry: str) -> set[bytes]:
    """The keys of what a state topic says is present in a registry."""
    last = {record.key: record.value for record in await records_on(system, topic)}
    return {key for key, value in last.items() if value is not None and key.startswith(registry.encode())}


async def records_on(system: System, topic: TopicName) -> list[ConsumerRecord]:
    return list(await records_of(system.settings, topic))


async def test_an_inactive_or_deleted_registry_is_not_scanned_and_says_so(
    system: System, server: ProductServer
) -> None:
    saved = await connected(system, server, is_active=False)
    registry = saved.connection.registry
    with pytest.raises(ConnectionInactive, match="is inactive: its registry is not asked anything"):
        await requests_of(system).ask(Wanted(registry), now())
    await delete(system.installation.topic, registry)
    with pytest.raises(NoSuchConnection):
        await requests_of(system).ask(Wanted(registry), now())
    assert server.desk.counts().total() == 0


async def test_a_due_time_starts_exactly_one_scan_however_many_replicas_run(
    system: System, server: ProductServer
) -> None:
    """Two more schedules run beside the system's own, each with a view of its own, and all own every partition."""
    saved = await connected(system, server, load_full_images_list=True, load_interval_seconds=3600)
    stop = asyncio.Event()
    views = [ConnectionsView(system.installation.topic) for _ in range(2)]
    every = set(range(system.settings.partitions))
    looks = [0, 0]

    async def schedule(number: int) -> None:
        def clock() -> datetime:
            looks[number] += 1
            return now()

        await keep_schedule(
            views[number].now,
            requests_of(system),
            Stretches(system.store),
            every,
            system.settings.partitions,
            clock,
            stop,
            tick_seconds=0.1,
        )

    for view in views:
        await view.start()
    schedules = [asyncio.create_task(schedule(number)) for number in range(len(views))]

    async def first() -> bool:
        return any(row["status"] == "complete" for row in await scans_of(system, saved.connection))

    await eventually(first)
    before = min(looks)

    async def looked_again() -> bool:
        return min(looks) >= before + 5

    await eventually(looked_again)
    stop.set()
    await asyncio.gather(*schedules)
    for view in views:
        await view.stop()
    (scan,) = await scans_of(system, saved.connection)
    assert scan["reason"] == "schedule"


async def test_a_due_time_that_passed_while_nobody_was_here_is_caught_up_once(
    system: System, server: ProductServer
) -> None:
    saved = await connected(system, server)
    registry = saved.connection.registry
    first = await requests_of(system).ask(Wanted(registry), now())
    await ended(system, saved.connection, first.scan)
    topic = system.installation.topic

    def scheduled(snapshot: Any) -> Connection:
        return edited_connection(
            snapshot, registry, 1, {"load_full_images_list": True, "load_interval_seconds": 86_400}
        )

    edited = (await save(topic, scheduled)).connection

    async def caught_up() -> bool:
        return [row["status"] for row in await scans_of(system, edited)] == ["complete", "complete"]

    await eventually(caught_up)
    await asyncio.sleep(2.5)
    assert len(await scans_of(system, edited)) == 2
    note = system.installation.connections.now().note(ScanAsked, registry)
    assert note is not None
    assert note.slot == due_slot(edited, now())
    late = now() + timedelta(days=3)
    asked = await requests_of(system).ask(Wanted(registry, slot=due_slot(edited, late)), late)
    again = await requests_of(system).ask(Wanted(registry, slot=due_slot(edited, late)), late)
    assert (asked.is_new, again.scan) == (True, asked.scan)
    await ended(system, edited, asked.scan)
