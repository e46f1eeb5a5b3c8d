"""Processes share one budget through the real broker: each here is a member with a client of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from services.sharing import sharing
from shared.messages.topics import BUDGET_CLAIMED
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import topic_name
from shared.registry.clients import RegistryClients
from shared.registry.errors import SignInRejected
from shared.settings import Settings
from tests.fakes.counting_registry import arrivals, counting, counting_server, most_in_a_second, most_open
from tests.fakes.hostile_registry import HostileRegistry, reply_challenge, reply_json
from tests.integration.registry.conftest import connection_to

ASKS = 12
"""Requests that each member has under way, or waiting, at once."""


@asynccontextmanager
async def asking(settings: Settings, service: str, url: str, **limits: int) -> AsyncIterator[list[float]]:
    """Ask for tags without a pause, as a process of its own would; yield when each answer came."""
    answers: list[float] = []

    async def ask() -> None:
        while True:
            await client.tags("app-00000", None)
            answers.append(time.monotonic())

    async with sharing(settings, service) as member:
        clients = RegistryClients(settings, member)
        client = clients.of(connection_to(url, **limits), None)
        tasks = [asyncio.create_task(ask()) for _ in range(ASKS)]
        try:
            yield answers
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await clients.close()


async def answered(*all_answers: list[float]) -> None:
    """Wait until every one of them has had an answer."""
    async with asyncio.timeout(15):
        while not all(all_answers):  # noqa: ASYNC110  # lists tell nobody
            await asyncio.sleep(0.02)


async def more_answered(all_answers: list[list[float]]) -> None:
    """Wait until every one of them has had another answer."""
    before = [len(answers) for answers in all_answers]
    async with asyncio.timeout(15):
        while any(len(answers) == then for answers, then in zip(all_answers, before, strict=True)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def settled(*all_answers: list[float]) -> None:
    """Wait until every one of them has its share."""
    await answered(*all_answers)
    await asyncio.sleep(2)


async def measured(lines: list[dict[str, object]], seconds: float) -> int:
    """Return how many requests come in the next seconds."""
    before = len(arrivals(lines))
    await asyncio.sleep(seconds)
    return len(arrivals(lines)) - before


async def most_measured(lines: list[dict[str, object]], seconds: float, enough: float) -> int:
    """Return how many requests come in so many seconds, at most: a busy machine lowers what is used.

    enough: what ends it; else it is measured three times.
    """
    most = 0
    for _ in range(3):
        most = max(most, await measured(lines, seconds))
        if most >= enough:
            break
    return most


@pytest.mark.parametrize(("max_rps", "max_connections"), [(10, 5), (60, 9)])
async def test_three_processes_together_use_the_limit_and_never_more(
    fresh_topics: Settings, max_rps: int, max_connections: int
) -> None:
    async with AsyncExitStack() as stack:
        url, lines = stack.enter_context(counting(0.02, max_connections=max_connections))
        limits = {"max_rps": max_rps, "max_connections": max_connections}
        answers = [
            await stack.enter_async_context(asking(fresh_topics, service, url, **limits))
            for service in ("lister", "tagger", "manifester")
        ]
        await settled(*answers)
        wanted = 0.9 * max_rps * 4
        used = await most_measured(lines, 4, wanted)
    assert most_in_a_second(arrivals(lines)) <= max_rps
    assert most_open(lines) <= max_connections
    assert used >= wanted


async def test_who_works_alone_does_not_wait(fresh_topics: Settings) -> None:
    with counting() as (url, _):
        begun = time.monotonic()
        async with asking(fresh_topics, "tallyman", url) as answers:
            await answered(answers)
        assert answers[0] - begun < 1.0


async def test_who_leaves_leaves_its_share_to_the_others(fresh_topics: Settings) -> None:
    with counting(max_connections=2) as (url, lines):
        limits = {"max_rps": 40, "max_connections": 2}
        async with asking(fresh_topics, "manifester", url, **limits) as stays:
            async with asking(fresh_topics, "manifester", url, **limits) as leaves:
                await settled(stays, leaves)
            wanted = 0.85 * 40 * 3
            used = await most_measured(lines, 3, wanted)
    assert used >= wanted
    assert most_in_a_second(arrivals(lines)) <= 40
    assert most_open(lines) <= 2


async def test_what_is_no_claim_is_passed_over(fresh_topics: Settings) -> None:
    producer = AIOKafkaProducer(**client_options(fresh_topics))
    await producer.start()
    topic = topic_name(fresh_topics, BUDGET_CLAIMED)
    junk: list[tuple[bytes, bytes | None]] = [
        (b"y", b"{"),
        (b"x", None),
        (b"worker01/silent", b'{"worker":"worker01","number":0}'),
        (b"worker01", b'{"worker":"worker01","number":1,"seen":-1,"settled":-1,"claims":[{"max_rps":-5}]}'),
        (b'"},{', b"\xff\xfe"),
    ]
    for key, value in junk:
        await producer.send_and_wait(topic, value, key, partition=0)
    with counting() as (url, _):
        async with asking(fresh_topics, "tallyman", url) as answers:
            await answered(answers)
            for key, value in junk:
                await producer.send_and_wait(topic, value, key, partition=0)
            before = len(answers)
            await more_answered([answers])
            assert len(answers) > before
    await producer.stop()


async def test_a_claim_holds_though_the_wall_clock_jumps(
    fresh_topics: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour ahead, then a day back, then to and fro: nothing of the budget reads it."""
    real, shifts = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + shifts[-1])
    with counting(max_connections=4) as (url, lines):
        limits = {"max_rps": 40, "max_connections": 4}
        async with AsyncExitStack() as stack:
            answers = [
                await stack.enter_async_context(asking(fresh_topics, "manifester", url, **limits)) for _ in range(2)
            ]
            await settled(*answers)
            used = 0
            for shift in (3600.0, -86_400.0, 0.5, -0.5, 7.0):
                shifts.append(shift)
                used += await measured(lines, 1.5)
    assert most_in_a_second(arrivals(lines)) <= 40
    assert used >= 0.8 * 40 * 7.5


def unreachable(fresh: Settings) -> Settings:
    return fresh.model_copy(update={"kafka": "127.0.0.1:9"})


async def test_no_claim_no_request(fresh_topics: Settings) -> None:
    """Where Kafka is away nothing is granted, and nothing fails: the requests wait."""
    with counting() as (url, lines):
        async with asking(unreachable(fresh_topics), "manifester", url):
            await asyncio.sleep(1.5)
        assert arrivals(lines) == []


@asynccontextmanager
async def three_asking(settings: Settings, url: str, **limits: int) -> AsyncIterator[list[list[float]]]:
    """Let three processes ask, and yield once all have had an answer."""
    async with AsyncExitStack() as stack:
        answers = [await stack.enter_async_context(asking(settings, "manifester", url, **limits)) for _ in range(3)]
        await settled(*answers)
        yield answers


async def test_a_pause_that_one_is_asked_for_is_kept_by_all(fresh_topics: Settings) -> None:
    with counting_server() as (server, lines):
        async with three_asking(fresh_topics, server.url, max_rps=60) as answers:
            server.refuse_next(429, "Retry-After: 2")
            await asyncio.sleep(0.7)  # a beat's way, and what was under way
            assert await measured(lines, 1.0) == 0
            await more_answered(answers)


async def test_a_registry_that_takes_less_gets_less_of_all_together(fresh_topics: Settings) -> None:
    """It answers 429 above twenty requests a second: they come down near it, and most of what they ask is answered."""
    with counting_server() as (server, lines):
        server.takes_rps = 20
        async with three_asking(fresh_topics, server.url, max_rps=100):
            await asyncio.sleep(5)
            before = server.refused
            came = await measured(lines, 8)
            refused = server.refused - before
    assert came <= 8 * 40
    assert came - refused >= 8 * 8
    assert refused <= came * 0.6


async def test_a_registry_that_does_not_answer_is_tried_by_one_request_at_a_time(fresh_topics: Settings) -> None:
    with counting_server() as (server, lines):
        async with three_asking(fresh_topics, server.url, max_rps=60) as answers:
            server.breaks_every = 1
            await asyncio.sleep(4)
            assert await measured(lines, 4) <= 4
            server.breaks_every = 0
            await more_answered(answers)


async def test_a_password_that_one_process_saw_rejected_is_shown_by_no_other(
    fresh_topics: Settings, hostile: HostileRegistry
) -> None:
    """Some products lock an account out after three failed sign-ins."""
    hostile.scripts["/v2/a/tags/list"] = reply_challenge('Basic realm="r"')
    connection = connection_to(hostile.url, username="u", revision=7)
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(3):
            member = await stack.enter_async_context(sharing(fresh_topics, "manifester"))
            clients.append(RegistryClients(fresh_topics, member))
            stack.push_async_callback(clients[-1].close)
        for number, one in enumerate(clients):
            with pytest.raises(SignInRejected):
                await one.of(connection, SecretStr("wrong")).tags("a", None)
            assert number or await asyncio.sleep(1.5, result=True)
        assert len([seen for seen in hostile.seen if seen.basic]) == 1
        hostile.scripts["/v2/a/tags/list"] = reply_json({"name": "a", "tags": ["1"]})
        saved_again = connection.model_copy(update={"revision": 8})
        assert (await clients[1].of(saved_again, SecretStr("right")).tags("a", None)).tags
