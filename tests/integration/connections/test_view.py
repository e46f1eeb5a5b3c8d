"""The view on a real broker: it waits for what it must have seen, and sees only what is committed."""

import asyncio
from functools import partial

import pytest

from shared.connections.records import Recorded, record_key
from shared.connections.rules import new_connection
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.connections.writer import Saved, delete, save
from shared.errors import TransientError
from shared.messages.codec import encode
from shared.messages.connection_changed import Connection
from tests.integration.connections.topic_contents import open_transaction, put


def named(name: str, snapshot: ConnectionsSnapshot) -> Connection:
    settings = {"name": name, "host": "https://registry.example.com"}
    return new_connection(snapshot, f"registry{name}", 4, settings)  # type: ignore[arg-type]


async def saved(topic: ConnectionsTopic, name: str) -> Saved:
    return await save(topic, partial(named, name))


async def test_a_view_knows_at_its_start_what_was_saved_before(topic: ConnectionsTopic) -> None:
    one = await saved(topic, "one")
    view = ConnectionsView(topic)
    await view.start()
    assert view.all() == ((one.connection, one.offset),)
    assert view.by_name("ONE") == one.connection
    assert view.by_name("two") is None
    await view.stop()


async def test_a_view_waits_until_it_has_seen_the_offset_it_is_asked_for(
    topic: ConnectionsTopic, view: ConnectionsView
) -> None:
    early = asyncio.create_task(view.get("registryone", 0))
    done, _ = await asyncio.wait([early], timeout=0.3)
    assert not done
    one = await saved(topic, "one")
    assert one.offset == 0
    assert await asyncio.wait_for(early, 2) == one.connection


async def test_a_change_is_seen_within_two_seconds(topic: ConnectionsTopic, view: ConnectionsView) -> None:
    one = await saved(topic, "one")
    async with asyncio.timeout(2):
        assert await view.get("registryone", one.offset) == one.connection


async def test_a_view_started_after_a_transaction_answers_for_its_record_though_a_marker_lies_behind(
    topic: ConnectionsTopic,
) -> None:
    one = await saved(topic, "one")
    view = ConnectionsView(topic, patience_seconds=5)
    await view.start()
    assert await view.get("registryone", one.offset) == one.connection
    assert await view.get("registryone", one.offset + 1) == one.connection  # the marker's own offset
    await view.stop()


async def test_a_registry_that_a_view_does_not_know_yet_is_looked_for_in_what_came_since(
    topic: ConnectionsTopic,
) -> None:
    one = await saved(topic, "one")
    view = ConnectionsView(topic)
    await view.start()
    await view.stop()  # it sees no more by itself
    two = await saved(topic, "two")
    assert await view.latest(one.connection.registry) == one.connection
    assert await view.latest(two.connection.registry) == two.connection
    assert await view.latest("registrythree") is None


async def test_a_deleted_connection_is_no_more(topic: ConnectionsTopic, view: ConnectionsView) -> None:
    one = await saved(topic, "one")
    offset = await delete(topic, one.connection.registry)
    assert await view.get("registryone", offset) is None
    assert await view.get("neverwas1", offset) is None
    assert view.all() == ()


async def test_an_offset_that_never_comes_is_told_after_the_patience(topic: ConnectionsTopic) -> None:
    view = ConnectionsView(topic, patience_seconds=2.5)
    await view.start()
    with pytest.raises(TransientError, match=r"within 2\.5 s: check that the brokers are up") as caught:
        await view.get("registryone", 99)
    assert caught.value.reason == "connections_unread"
    await view.stop()


async def test_what_a_transaction_wrote_and_aborted_is_never_seen(
    topic: ConnectionsTopic, view: ConnectionsView
) -> None:
    ghost = named("ghost", ConnectionsSnapshot())
    async with open_transaction(topic, "another-id") as producer:
        told = await producer.send_and_wait(topic.name, encode(ghost), record_key(ghost.registry), partition=0)
        await producer.abort_transaction()
    assert await view.get(ghost.registry, told.offset) is None
    assert view.all() == ()


async def test_what_is_not_committed_yet_is_not_seen_yet(topic: ConnectionsTopic, view: ConnectionsView) -> None:
    ghost = named("ghost", ConnectionsSnapshot())
    async with open_transaction(topic, "another-id") as producer:
        told = await producer.send_and_wait(topic.name, encode(ghost), record_key(ghost.registry), partition=0)
        waiting = asyncio.create_task(view.get(ghost.registry, told.offset))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        await producer.commit_transaction()
    assert await asyncio.wait_for(waiting, 2) == ghost


async def test_records_that_cannot_be_read_and_records_of_other_kinds_lose_nothing_else(
    topic: ConnectionsTopic, view: ConnectionsView
) -> None:
    one = await saved(topic, "one")
    await put(topic, record_key("registryone"), b"not json")
    await put(topic, b"console-password/admin", b"a hash")
    last = await put(topic, b"connection/!", None)
    assert await view.get("registryone", last) == one.connection
    assert view.all() == ((one.connection, one.offset),)


async def test_changes_are_told_from_the_beginning_and_then_as_they_come(
    topic: ConnectionsTopic, view: ConnectionsView
) -> None:
    one = await saved(topic, "one")
    await view.get("registryone", one.offset)
    changes = aiter(view.changes())
    assert await anext(changes) == Recorded(one.offset, "registryone", one.connection)
    two = await saved(topic, "two")
    assert await asyncio.wait_for(anext(changes), 2) == Recorded(two.offset, "registrytwo", two.connection)
    gone = await delete(topic, "registryone")
    assert await asyncio.wait_for(anext(changes), 2) == Recorded(gone, "registryone", None)
    await view.stop()
    assert [change async for change in changes] == []


async def test_a_topic_that_is_not_there_is_told_at_the_start(topic: ConnectionsTopic) -> None:
    missing = ConnectionsTopic(topic.options, topic.name + "-missing", topic.transactional_id)
    with pytest.raises(TransientError, match="hold the topic"):
        await ConnectionsView(missing, patience_seconds=1).start()
