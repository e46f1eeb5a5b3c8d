"""Changes of connections on a real broker: one after another, whoever makes them, wherever."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ProducerFenced
from cryptography.fernet import Fernet
from pydantic import SecretStr

from shared.connections.reader import reading
from shared.connections.records import Recorded, record_key
from shared.connections.rules import NameTaken, NoSuchConnection, StaleEdit, edited_connection, new_connection
from shared.connections.secrets import Secrets
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.connections.view import ConnectionsView
from shared.connections.writer import (
    SoleWriter,
    as_sole_writer,
    delete,
    ensure_connection,
    new_registry_id,
    raise_scan_bases,
    save,
)
from shared.errors import TransientError
from shared.messages.codec import encode
from shared.messages.connection_changed import Connection
from tests.integration.connections.topic_contents import bytes_in, open_transaction, put

HOST = "https://registry.example.com"
PARTITIONS = 4


async def saved_in(topic: ConnectionsTopic) -> ConnectionsSnapshot:
    async with reading(topic) as reader:
        return await reader.read_to_end()


def named(name: str, snapshot: ConnectionsSnapshot) -> Connection:
    """A new connection of that name. (Its id stays the same, as the rule may be asked again.)"""
    return new_connection(snapshot, f"registry{name}", PARTITIONS, {"name": name, "host": HOST})


async def _what_is_known(sole: SoleWriter) -> ConnectionsSnapshot:
    return sole.now


async def test_a_saved_connection_is_there_with_its_offset_as_soon_as_the_writer_says_so(
    topic: ConnectionsTopic,
) -> None:
    saved = await save(topic, partial(named, "one"))
    assert (await saved_in(topic)).present() == ((saved.connection, saved.offset),)


async def test_a_writer_goes_on_from_what_the_one_before_had_read(topic: ConnectionsTopic) -> None:
    read: list[int] = []

    class NotingConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
        async def getmany(self, *partitions: Any, **options: Any) -> Any:
            batches = await super().getmany(*partitions, **options)
            read.extend(record.offset for batch in batches.values() for record in batch)
            return batches

    noting = replace(topic, new_consumer=NotingConsumer)
    await save(noting, partial(named, "one"))
    await save(topic, partial(named, "two"))  # in another process
    await save(noting, partial(named, "three"))
    read.clear()
    saved = await save(noting, partial(named, "four"))
    present = {connection.name: offset for connection, offset in (await saved_in(topic)).present()}
    assert present.keys() == {"one", "two", "three", "four"}
    assert read[:2] == [present["two"], present["three"]]  # what was newest then, and what came since
    assert saved.offset == present["four"]


async def test_a_writer_goes_on_from_what_a_view_of_its_process_has_read(
    topic: ConnectionsTopic, view: ConnectionsView
) -> None:
    saved = await save(replace(topic), partial(named, "one"))  # in another process
    await view.seen(saved.offset)
    assert topic.read_before.recalled().present() == ((saved.connection, saved.offset),)


@pytest.mark.parametrize("further", [0, 1000])
async def test_what_was_read_of_another_log_is_forgotten(topic: ConnectionsTopic, further: int) -> None:
    await save(topic, partial(named, "one"))
    saved = await save(topic, partial(named, "two"))
    ghost = Recorded(saved.offset + further, "registryghost", saved.connection.model_copy(update={"name": "ghost"}))
    topic.read_before.keep(ConnectionsSnapshot().after([ghost]))
    await save(topic, partial(named, "three"))
    known = await as_sole_writer(topic, _what_is_known)
    assert [connection.name for connection, _ in known.present()] == ["one", "three", "two"]


async def test_a_save_keeps_what_was_read_before_it(topic: ConnectionsTopic) -> None:
    saved = await save(topic, partial(named, "one"))
    assert topic.read_before.recalled() == ConnectionsSnapshot()  # as it was before that save
    await save(topic, partial(named, "two"))
    assert topic.read_before.recalled().present() == ((saved.connection, saved.offset),)


async def test_an_equal_connection_is_not_written_again(topic: ConnectionsTopic) -> None:
    first = await ensure_connection(topic, HOST, {}, PARTITIONS)
    assert await ensure_connection(topic, HOST + "/", {}, PARTITIONS) == first


async def test_the_same_host_loaded_again_with_other_settings_stays_the_same_registry(topic: ConnectionsTopic) -> None:
    first = await ensure_connection(topic, HOST, {"username": "ann"}, PARTITIONS)
    again = await ensure_connection(topic, HOST, {"max_rps": 3}, PARTITIONS)
    assert again.offset > first.offset
    assert again.connection == first.connection.model_copy(update={"max_rps": 3, "revision": 2})


@pytest.mark.parametrize("are_processes", [False, True])
async def test_of_many_that_write_at_once_every_connection_is_kept_on_a_slot_of_its_own(
    topic: ConnectionsTopic, are_processes: bool
) -> None:
    names = [f"name{number}" for number in range(12)]
    topics = [replace(topic) if are_processes else topic for _ in names]  # a copy has a turn of its own
    await asyncio.gather(*(save(each, partial(named, name)) for each, name in zip(topics, names, strict=True)))
    connections = [connection for connection, _ in (await saved_in(topic)).present()]
    assert sorted(connection.name for connection in connections) == sorted(names)
    slots = Counter(connection.slot for connection in connections)
    assert slots == dict.fromkeys(range(PARTITIONS), 3)


async def test_writers_of_one_process_do_not_fence_each_other(topic: ConnectionsTopic) -> None:
    asked: Counter[str] = Counter()

    def counted(name: str, snapshot: ConnectionsSnapshot) -> Connection:
        asked[name] += 1
        return named(name, snapshot)

    names = [f"name{number}" for number in range(5)]
    await asyncio.gather(*(save(topic, partial(counted, name)) for name in names))
    assert asked == dict.fromkeys(names, 1)


async def test_a_writer_that_keeps_its_turn_does_not_keep_the_others_for_ever(topic: ConnectionsTopic) -> None:
    impatient = replace(topic, turn_seconds=0.05)
    async with impatient.turn:
        with pytest.raises(TransientError, match="Try again") as caught:
            await save(impatient, partial(named, "one"))
    assert caught.value.reason == "connections_contended"
    assert (await save(impatient, partial(named, "one"))).connection.name == "one"


async def test_of_two_that_want_one_name_at_once_one_gets_it_and_the_other_is_told(topic: ConnectionsTopic) -> None:
    def wanting(registry: str, snapshot: ConnectionsSnapshot) -> Connection:
        return new_connection(snapshot, registry, PARTITIONS, {"name": "prod", "host": HOST})

    outcomes = await asyncio.gather(
        *(save(topic, partial(wanting, new_registry_id())) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NameTaken", "Saved"]
    assert len((await saved_in(topic)).present()) == 1


async def test_of_two_edits_of_one_revision_one_is_saved_and_the_other_is_told(topic: ConnectionsTopic) -> None:
    registry = (await save(topic, partial(named, "one"))).connection.registry

    def faster(rps: int, snapshot: ConnectionsSnapshot) -> Connection:
        return edited_connection(snapshot, registry, 1, {"max_rps": rps})

    outcomes = await asyncio.gather(*(save(topic, partial(faster, rps)) for rps in (5, 6)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Saved", "StaleEdit"]
    saved = (await saved_in(topic)).connection(registry)
    assert saved is not None
    assert (saved.revision, saved.max_rps in (5, 6)) == (2, True)


async def test_a_refused_change_writes_nothing(topic: ConnectionsTopic) -> None:
    await save(topic, partial(named, "one"))
    before = await bytes_in(topic)
    with pytest.raises(NameTaken):
        await save(
            topic, lambda snapshot: new_connection(snapshot, "registrytwo", PARTITIONS, {"name": "one", "host": HOST})
        )
    with pytest.raises(StaleEdit):
        await save(topic, lambda snapshot: edited_connection(snapshot, "registryone", 7, {}))
    assert await bytes_in(topic) == before


async def test_a_writer_that_was_overtaken_within_its_transaction_is_fenced_and_leaves_nothing(
    topic: ConnectionsTopic,
) -> None:
    async with open_transaction(topic, topic.transactional_id) as zombie:
        late = named("late", ConnectionsSnapshot())
        await zombie.send_and_wait(topic.name, encode(late), record_key(late.registry), partition=0)
        saved = await save(topic, partial(named, "one"))
        with pytest.raises(ProducerFenced):
            await zombie.commit_transaction()
    assert (await saved_in(topic)).present() == ((saved.connection, saved.offset),)


async def test_a_change_that_finds_itself_saved_already_is_not_refused(topic: ConnectionsTopic) -> None:
    """Fenced after the commit but before its answer, the next try must not take its own edit for another's."""
    registry = (await save(topic, partial(named, "one"))).connection.registry
    tries = 0

    def faster(snapshot: ConnectionsSnapshot) -> Connection:
        return edited_connection(snapshot, registry, 1, {"max_rps": 5})

    def overtaken(snapshot: ConnectionsSnapshot) -> Connection:
        nonlocal tries
        tries += 1
        with ThreadPoolExecutor(1) as thread:
            # it fences us, and saves what we are about to
            thread.submit(asyncio.run, save(replace(topic), faster)).result()
        return faster(snapshot)

    saved = await save(topic, overtaken)
    assert (saved.connection.revision, saved.connection.max_rps, tries) == (2, 5, 1)


async def test_a_deleted_connection_is_a_tombstone_and_may_be_deleted_again(topic: ConnectionsTopic) -> None:
    registry = (await save(topic, partial(named, "one"))).connection.registry
    offset = await delete(topic, registry)
    assert await delete(topic, registry) == offset
    snapshot = await saved_in(topic)
    assert (snapshot.present(), snapshot.records[registry].offset) == ((), offset)


async def test_what_never_was_cannot_be_deleted(topic: ConnectionsTopic) -> None:
    with pytest.raises(NoSuchConnection, match="neverwas1"):
        await delete(topic, "neverwas1")


async def test_scan_bases_are_raised_above_the_highest_scan_and_never_lowered(topic: ConnectionsTopic) -> None:
    for name in ("one", "two", "three"):
        await save(topic, partial(named, name))
    await raise_scan_bases(topic, {"registryone": 41, "registrytwo": 0, "unknownid": 9})
    await raise_scan_bases(topic, {"registryone": 7})
    bases = {c.name: (c.scan_base, c.revision) for c, _ in (await saved_in(topic)).present()}
    assert bases == {"one": (42, 1), "two": (1, 1), "three": (1, 1)}


async def test_a_record_that_cannot_be_read_stops_no_change(topic: ConnectionsTopic) -> None:
    await put(topic, b"connection/registry0", b"{")
    saved = await save(topic, partial(named, "one"))
    assert (await saved_in(topic)).present() == ((saved.connection, saved.offset),)


async def test_a_password_never_lies_in_the_topic_in_the_clear(topic: ConnectionsTopic) -> None:
    secrets = Secrets([SecretStr(Fernet.generate_key().decode())])
    password = secrets.encrypt(SecretStr("hunter2-hunter2"))
    saved = await ensure_connection(topic, HOST, {"username": "ann", "password": password}, PARTITIONS)
    assert saved.connection.password is not None
    assert secrets.decrypt(saved.connection.password) == SecretStr("hunter2-hunter2")
    lying = await bytes_in(topic)
    assert b"ann" in lying
    assert b"hunter2" not in lying


async def test_a_broker_that_is_not_there_is_told_with_what_to_do(topic: ConnectionsTopic) -> None:
    nowhere = ConnectionsTopic({"bootstrap_servers": "127.0.0.1:1"}, topic.name, topic.transactional_id)
    with pytest.raises(TransientError, match="Check that the brokers are up") as caught:
        await save(nowhere, partial(named, "one"))
    assert caught.value.reason == "connections_unsaved"


def test_a_topics_description_shows_no_password() -> None:
    assert "hunter2" not in repr(ConnectionsTopic({"sasl_plain_password": "hunter2"}, "name", "id"))
