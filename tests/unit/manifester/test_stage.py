"""The manifester's handler: what a page of tags becomes."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.access import REASON_DELETED, REASON_INACTIVE
from services.manifester.observation import REASON_TOO_MANY_FACTS
from services.manifester.stage import manifester_stage
from shared.errors import PermanentError, TransientError
from shared.messages.codec import encode
from shared.messages.images_observed import ImagesObserved
from shared.messages.model import Failure
from shared.messages.scan_progressed import ScanProgressed, UnitOutcome, UnitReported
from shared.oci.digest import Digest
from shared.pipeline.topics import MAX_MESSAGE_BYTES
from shared.registry.client import FetchedManifest, Unchanged
from tests.fakes.registry_access import (
    CONTEXT,
    UNREADABLE,
    FakeRegistry,
    access,
    connection,
    manifest_gone,
    told,
    unavailable,
)
from tests.fakes.store import FakeStore
from tests.unit.manifester.bodies import SIZE_BYTES, chart, config, entry, index
from tests.unit.manifester.pages import (
    ARM64,
    NOW,
    READING,
    an_image,
    observed,
    page_of,
    registry_of,
    stage,
)


async def test_an_image_is_observed_with_what_its_manifest_and_config_tell() -> None:
    registry = registry_of()
    digest = an_image(registry, "a")
    seen = await observed(stage(registry), page_of("a"))
    assert [(tag.name, tag.digest) for tag in seen.tags] == [("a", digest)]
    (facts,) = seen.manifests
    assert (facts.digest, facts.kind, facts.platform, facts.size_bytes) == (digest, "image", ARM64, SIZE_BYTES)
    assert facts.created == datetime(2020, 1, 1, tzinfo=UTC)
    assert facts.config == Digest.of(config("arm64"))


async def test_what_the_page_says_of_itself_is_passed_on() -> None:
    failures = (Failure(what="r", reason="broken_off"),)
    page = page_of("a", complete=False, failures=failures)
    registry = registry_of(a=chart())
    seen = await observed(stage(registry), page)
    assert (seen.context, seen.repository, seen.reading) == (CONTEXT, "r", READING)
    assert (seen.complete, seen.failures, seen.observed_at) == (False, failures, NOW)
    assert seen.requests == 3


async def test_a_page_without_tags_asks_nobody_and_is_passed_on() -> None:
    registry, store = registry_of(), FakeStore()
    seen = await observed(stage(registry, store), page_of())
    assert (seen.tags, seen.complete, seen.requests) == ((), True, 2)
    assert registry.asked + store.asked == []


async def test_a_tag_that_the_registry_denies_twice_is_gone() -> None:
    registry = registry_of(a=chart())
    seen = await observed(stage(registry), page_of("a", "x"))
    assert registry.asked.count("manifest x") == 2
    assert seen.gone == ("x",)
    assert [tag.name for tag in seen.tags] == ["a"]
    assert (seen.failed, seen.complete) == ((), True)


async def test_a_tag_that_the_registry_denies_once_is_there() -> None:
    registry = registry_of(a=chart())
    registry.troubles["manifest a"] = [manifest_gone()]
    seen = await observed(stage(registry), page_of("a"))
    assert [tag.name for tag in seen.tags] == ["a"]
    assert seen.gone == ()


async def test_a_tag_that_is_denied_once_and_then_not_answered_is_unknown_not_gone() -> None:
    registry = registry_of(a=chart())
    registry.troubles["manifest a"] = [manifest_gone(), unavailable()]
    seen = await observed(stage(registry), page_of("a"))
    assert seen.gone == ()
    assert [failed.reason for failed in seen.failed] == ["registry_unavailable"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"schemaVersion": 2, "manifests": 1}'])
async def test_a_manifest_that_cannot_be_understood_fails_its_tag_with_a_sentence(body: bytes) -> None:
    registry = registry_of(a=body or b" ", b=chart())
    seen = await observed(stage(registry), page_of("a", "b"))
    assert [tag.name for tag in seen.tags] == ["b"]
    (failed,) = seen.failed
    assert failed.what == "a"
    assert failed.reason.startswith("manifest_")
    assert failed.detail.endswith(".")


async def test_facts_beyond_what_a_message_holds_fail_their_tags_for_this_time() -> None:
    registry = registry_of()
    names = [f"t{number}" for number in range(8)]
    wordy = dict.fromkeys(("os", "architecture", "variant", "os.version"), "x" * 255)
    for name in names:
        children = (Digest.of(f"{name} {number}".encode()) for number in range(300))
        registry.add("r", name, index(*(entry(child, platform=wordy) for child in children)))
    seen = await observed(stage(registry), page_of(*names))
    assert [tag.name for tag in seen.tags] == names[: len(seen.tags)]
    assert len(seen.tags) > 1
    assert [failed.what for failed in seen.failed] == names[len(seen.tags) :]
    assert {failed.reason for failed in seen.failed} == {REASON_TOO_MANY_FACTS}
    assert len(encode(seen)) < MAX_MESSAGE_BYTES


async def test_requests_under_way_are_bounded_by_the_connections_over_all_pages() -> None:
    class Counting(FakeRegistry):
        now = 0
        most = 0

        async def manifest(
            self, repository: str, reference: str, known: Digest | None = None
        ) -> FetchedManifest | Unchanged:
            self.now += 1
            self.most = max(self.most, self.now)
            for _ in range(3):
                await asyncio.sleep(0)
            self.now -= 1
            return await super().manifest(repository, reference, known)

    registry = Counting({"r": {}})
    for number in range(40):
        registry.add("r", f"t{number}", chart())
    working = stage(registry, to=connection(max_connections=3))
    pages = [page_of(*(f"t{number}" for number in range(start, start + 10))) for start in range(0, 40, 10)]
    await asyncio.gather(*(observed(working, page) for page in pages))
    assert registry.most == 3


async def test_a_store_that_does_not_answer_holds_the_page_back() -> None:
    class Down(FakeStore):
        async def known_repositories(self, *_: Any) -> set[str]:
            raise TransientError("The store does not answer.", reason="store_unavailable", waits=True)

    registry = registry_of(a=chart())
    with pytest.raises(TransientError, match="does not answer"):
        await observed(stage(registry, Down()), page_of("a"))
    assert registry.asked == []


@pytest.mark.parametrize("reason", [REASON_DELETED, REASON_INACTIVE])
async def test_a_deleted_or_inactive_registry_is_not_asked_and_the_repository_is_skipped(reason: str) -> None:
    registry = registry_of(a=chart())
    to = None if reason == REASON_DELETED else connection(is_active=False)
    (message,) = await told(manifester_stage(access(registry, to), FakeStore(), lambda: NOW).handle(page_of("a")))
    assert registry.asked == []
    assert isinstance(message, ScanProgressed)
    assert isinstance(message.progress, UnitReported)
    assert (message.progress.repository, message.progress.outcome) == ("r", UnitOutcome.SKIPPED)
    assert message.progress.failures[0].reason == reason


async def test_an_unreadable_password_fails_all_tags_and_sends_nothing() -> None:
    registry = registry_of(a=chart(), b=chart())
    seen = await observed(stage(registry, to=connection(password=UNREADABLE)), page_of("a", "b"))
    assert registry.asked == []
    assert [failed.reason for failed in seen.failed] == ["secret_unreadable", "secret_unreadable"]


def test_a_page_that_is_given_up_goes_on_with_all_its_tags_failed_and_proves_nothing() -> None:
    (seen,) = stage(registry_of()).give_up(page_of("a", "b"), PermanentError("No.", reason="no"))
    assert isinstance(seen, ImagesObserved)
    assert (seen.reading, seen.complete, seen.tags) == (READING, False, ())
    assert [(failed.what, failed.reason) for failed in seen.failed] == [("a", "no"), ("b", "no")]
    assert [failure.reason for failure in seen.failures] == ["no"]


def test_bytes_that_are_no_message_fail_the_repository_they_show() -> None:
    (message,) = stage(registry_of()).unreadable(CONTEXT, "r", PermanentError("No.", reason="no"))
    assert isinstance(message, ScanProgressed)
    assert isinstance(message.progress, UnitReported)
    assert message.progress.outcome == UnitOutcome.FAILED


OUTCOMES = st.sampled_from(["image", "chart", "index", "gone", "broken", "down", "known"])


@given(st.lists(OUTCOMES, max_size=20))
async def test_whatever_the_tags_lead_to_each_is_told_once_and_in_the_pages_order(outcomes: list[str]) -> None:
    registry, store = registry_of(), FakeStore()
    names = [f"t{number:02}" for number in range(len(outcomes))]
    for name, outcome in zip(names, outcomes, strict=True):
        match outcome:
            case "chart":
                registry.add("r", name, chart())
            case "index":
                registry.add("r", name, index(entry(Digest.of(b"child"), "amd64"), name=name))
            case "broken":
                registry.add("r", name, b"{")
            case "image" | "down" | "known":
                digest = an_image(registry, name, name=name)
                if outcome == "down":
                    registry.troubles[f"manifest {name}"] = [unavailable()]
                if outcome == "known":
                    store.tags["r", name] = digest
    seen = await observed(stage(registry, store), page_of(*names))
    by_outcome = {
        "seen": [tag.name for tag in seen.tags],
        "failed": [failed.what for failed in seen.failed],
        "gone": list(seen.gone),
    }
    kinds = {"gone": "gone", "broken": "failed", "down": "failed"}
    for kind, told_names in by_outcome.items():
        assert told_names == [
            name for name, outcome in zip(names, outcomes, strict=True) if kinds.get(outcome, "seen") == kind
        ]
    told_facts = {facts.digest for facts in seen.manifests}
    known = set(store.tags.values())
    assert all(tag.digest in told_facts | known for tag in seen.tags)
