"""The worker loop on a real broker: what becomes of messages that fail."""

import asyncio
from collections import Counter
from dataclasses import replace
from secrets import token_hex

import pytest

from shared.errors import PermanentError, TransientError
from shared.messages.codec import encode
from shared.messages.repository_found import RepositoryFound
from shared.pipeline.stage import StageStats, StageStopped
from shared.pipeline.topics import LARGEST_OUTPUT_BYTES
from shared.pipeline.worker import run_stage
from shared.settings import Settings
from tests.support.worker import (
    BRISK,
    Noted,
    at_once,
    committed,
    dead_letters,
    found,
    page,
    pages,
    running,
    send,
    send_raw,
    until,
    with_settings,
)


async def test_a_poisoned_message_is_told_downstream_and_kept_while_others_go_on(fresh_topics: Settings) -> None:
    poisoned = found("one", "bad")
    await send(fresh_topics, [poisoned, found("one", "good")])

    async def bad_is_bad(message: RepositoryFound) -> None:
        if message.repository == "bad":
            raise PermanentError("The manifest is malformed.", reason="malformed")

    noted, stats = Noted(bad_is_bad), StageStats()
    async with running(noted, fresh_topics, stats=stats):
        await until(lambda: stats.given_up == stats.succeeded == 1)
    told = {page.repository: [failure.reason for failure in page.failures] for page in await pages(fresh_topics)}
    assert told == {"bad": ["malformed"], "good": []}
    ((letter, headers),) = await dead_letters(fresh_topics)
    assert (letter.key, letter.value) == (b"one00000/bad", encode(poisoned))
    assert headers["stage"] == "tagger"
    assert headers["reason"] == "malformed"
    assert headers["error"] == "The manifest is malformed."
    assert headers["topic"].endswith("repository.found")
    assert (headers["partition"], headers["offset"]) == ("0", "0")
    assert int(headers["first_seen"]) > 1_600_000_000_000
    assert await committed(fresh_topics) == {0: 2}


async def test_a_passing_failure_is_tried_again_in_place_while_other_keys_go_on(fresh_topics: Settings) -> None:
    await send(fresh_topics, [found("one", "flaky", 0), found("one", "flaky", 1), found("one", "good")])
    tries: Counter[str | None] = Counter()

    async def flaky(message: RepositoryFound) -> None:
        if message.repository == "flaky":
            tries[message.tag] += 1
            if message.tag == "0" and tries["0"] < 3:
                raise TransientError("The registry answered 503.", reason="unavailable")

    noted, stats = Noted(flaky), StageStats()
    async with running(noted, fresh_topics, stats=stats):
        await until(lambda: stats.succeeded == 3)
    assert noted.ended == [("good", 0), ("flaky", 0), ("flaky", 1)]
    assert (tries["0"], stats.retried, stats.given_up) == (3, 2, 0)
    assert await dead_letters(fresh_topics) == []


async def test_when_the_attempts_are_spent_the_message_is_given_up(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, attempts=3)
    await send(settings, [found("one", "down")])

    async def down(message: RepositoryFound) -> None:
        raise TransientError("The registry answered 503.", reason="unavailable")

    noted, stats = Noted(down), StageStats()
    async with running(noted, settings, stats=stats):
        await until(lambda: stats.given_up == 1)
    assert len(noted.begun) == 3
    ((_, headers),) = await dead_letters(settings)
    assert headers["reason"] == "unavailable"
    assert [failure.reason for page in await pages(settings) for failure in page.failures] == ["unavailable"]


async def test_what_can_only_wait_is_never_given_up(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, attempts=2)
    await send(settings, [found("one", "app")])
    tries = 0

    async def store_down_for_a_while(message: RepositoryFound) -> None:
        nonlocal tries
        tries += 1
        if tries < 6:
            raise TransientError("The store does not answer.", reason="store_down", waits=True)

    async with running(Noted(store_down_for_a_while), settings) as task:
        await until(lambda: tries == 6 or task.done())
    assert await dead_letters(settings) == []
    assert len(await pages(settings)) == 1


async def test_what_waits_to_be_tried_again_takes_no_place_from_another_registry(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, stage_concurrency=1)
    await send(settings, [found("down", "app"), found("up", "app")])

    async def asked_to_wait(message: RepositoryFound) -> None:
        if message.context.registry.startswith("down"):
            raise TransientError("Too many requests.", reason="rate", retry_after_seconds=60)

    noted, stats = Noted(asked_to_wait), StageStats()
    async with running(noted, settings, stats=stats):
        await until(lambda: stats.succeeded == 1)
    assert await committed(settings) == {}  # the one that waits lies before, on the same partition


async def test_an_unexpected_error_is_held_back_until_a_later_message_succeeds(fresh_topics: Settings) -> None:
    await send(fresh_topics, [found("one", "bug")])
    secret = token_hex()

    async def bug(message: RepositoryFound) -> None:
        if message.repository == "bug":
            raise KeyError(secret)

    noted, stats = Noted(bug), StageStats()
    async with running(noted, fresh_topics, stats=stats):
        await until(lambda: stats.suspected == 1)
        await asyncio.sleep(3 * BRISK.commit)
        assert await committed(fresh_topics) == {}
        assert await dead_letters(fresh_topics) == []
        await send(fresh_topics, [found("one", "good")])
        await until(lambda: stats.given_up == 1)
    ((_, headers),) = await dead_letters(fresh_topics)
    assert (headers["reason"], headers["error"]) == ("unexpected_error", "KeyError")
    assert "test_worker_failures.py" in headers["traceback"]
    assert secret not in str(headers)
    told = {page.repository: [failure.reason for failure in page.failures] for page in await pages(fresh_topics)}
    assert told == {"bug": ["unexpected_error"], "good": []}
    assert await committed(fresh_topics) == {0: 2}


async def test_unexpected_errors_in_a_row_stop_the_stage_with_none_of_them_committed(fresh_topics: Settings) -> None:
    settings = with_settings(fresh_topics, errors_in_a_row=4)
    await send(settings, [found("one", "good")])
    await send(settings, [found("one", f"app{number}", number) for number in range(50)])

    async def bad_deploy(message: RepositoryFound) -> None:
        if message.repository != "good":
            await asyncio.sleep(0.3)
            raise AttributeError

    with pytest.raises(StageStopped, match="4 unexpected errors in a row, the last a AttributeError"):
        await run_stage(Noted(bad_deploy).stage(), settings, asyncio.Event(), pace=BRISK)
    assert (await committed(settings)).get(0, 0) <= 1
    assert await dead_letters(settings) == []
    assert len(await pages(settings)) == 1

    mended = Noted(at_once)
    async with running(mended, settings):
        await until(lambda: len(mended.ended) >= 50)


@pytest.mark.parametrize("value", [b"<html>", b"{}", b"\xff", None], ids=["html", "empty", "bytes", "tombstone"])
@pytest.mark.parametrize("key", [b"one00000/app", None], ids=["keyed", "keyless"])
async def test_bytes_that_are_no_message_go_to_the_dead_letters_as_they_came(
    fresh_topics: Settings, key: bytes | None, value: bytes | None
) -> None:
    if key is None and value is None:
        key = b""
    await send_raw(fresh_topics, [(key, value, 2)])
    stats = StageStats()
    async with running(Noted(at_once), fresh_topics, stats=stats):
        await until(lambda: stats.given_up == 1)
    ((letter, headers),) = await dead_letters(fresh_topics)
    assert (letter.key, letter.value) == (key, value)
    assert headers["reason"] == "message_unreadable"
    assert await committed(fresh_topics) == {2: 1}


async def test_an_unreadable_message_that_shows_its_scan_does_not_leave_it_hanging(fresh_topics: Settings) -> None:
    broken = encode(found("one", "app")).replace(b'"version":1', b'"version":99')
    await send_raw(fresh_topics, [(b"one00000/app", broken, 0)])
    stats = StageStats()
    async with running(Noted(at_once), fresh_topics, stats=stats):
        await until(lambda: stats.given_up == 1)
    (told,) = await pages(fresh_topics)
    assert (told.context.registry, told.repository) == ("one00000", "app")
    assert [failure.reason for failure in told.failures] == ["message_unreadable"]


async def test_an_output_that_no_topic_takes_is_given_up_and_the_stage_goes_on(fresh_topics: Settings) -> None:
    await send(fresh_topics, [found("one", "huge"), found("one", "good")])
    stage = Noted(at_once).stage()

    async def handle(message: RepositoryFound):  # type: ignore[no-untyped-def]
        answer = page(message)
        if message.repository == "huge":
            cursor = answer.reading.model_copy(update={"id": "x" * LARGEST_OUTPUT_BYTES})
            answer = answer.model_copy(update={"reading": cursor})
        yield answer

    stats = StageStats()
    async with running(replace(stage, handle=handle), fresh_topics, stats=stats):
        await until(lambda: stats.given_up == stats.succeeded == 1)
    ((_, headers),) = await dead_letters(fresh_topics)
    assert headers["reason"] == "output_too_large"


async def test_a_scan_of_more_partitions_than_there_are_is_given_up(fresh_topics: Settings) -> None:
    message = found("one", "app")
    wide = message.model_copy(update={"context": message.context.model_copy(update={"partitions": 64, "slot": 40})})
    await send_raw(fresh_topics, [(b"one00000/app", encode(wide), 0)])
    stats = StageStats()
    async with running(Noted(at_once), fresh_topics, stats=stats):
        await until(lambda: stats.given_up == 1)
    ((_, headers),) = await dead_letters(fresh_topics)
    assert headers["reason"] == "partition_missing"


async def test_giving_up_that_fails_itself_still_leaves_the_dead_letter(fresh_topics: Settings) -> None:
    await send(fresh_topics, [found("one", "bad")])

    async def bad(message: RepositoryFound) -> None:
        raise PermanentError("It is malformed.", reason="malformed")

    def broken(message: RepositoryFound, error: Exception) -> tuple[()]:
        raise ZeroDivisionError

    stats = StageStats()
    async with running(replace(Noted(bad).stage(), give_up=broken), fresh_topics, stats=stats):
        await until(lambda: stats.given_up == 1)
    assert len(await dead_letters(fresh_topics)) == 1
    assert await committed(fresh_topics) == {0: 1}
