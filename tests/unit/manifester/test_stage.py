"""The manifester's handler: what a page of tags becomes."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.access import REASON_DELETED, REASON_INACTIVE
from services.manifester.expansion import REASON_TOO_WIDE
from services.manifester.observation import REASON_TOO_MANY_FACTS
from services.manifester.stage import manifester_stage
from shared.errors import PermanentError, TransientError
from shared.messages.codec import encode
from shared.messages.connection_changed import Connection
from shared.messages.images_observed import ImagesObserved, ObservedChild, ObservedManifest
from shared.messages.model import Failure, Reading
from shared.messages.scan_progressed import ScanProgressed, UnitOutcome, UnitReported
from shared.messages.tags_found import FoundTag, TagsFound
from shared.oci.digest import Digest
from shared.oci.media_types import OCI_INDEX, OCI_MANIFEST
from shared.oci.platform import Platform
from shared.pipeline.stage import Stage
from shared.pipeline.topics import MAX_MESSAGE_BYTES
from shared.registry.client import FetchedManifest, Unchanged
from shared.store.rows import ConfigRow
from tests.fakes.registry_access import (
    CONTEXT,
    REGISTRY,
    UNREADABLE,
    FakeRegistry,
    access,
    connection,
    manifest_gone,
    told,
    unavailable,
)
from tests.fakes.store import FakeStore
from tests.unit.manifester.bodies import SIZE_BYTES, chart, config, entry, image, index

NOW = datetime(2030, 1, 1, tzinfo=UTC)
READING = Reading(id="reading", leg="leg", follows="leg before", page=3, last=True)
ARM64 = Platform(os="linux", architecture="arm64")


def stage(registry: FakeRegistry, store: FakeStore | None = None, to: Connection | None = None) -> Stage[TagsFound]:
    return manifester_stage(access(registry, to or connection()), store or FakeStore(), lambda: NOW)


def page_of(*tags: str, **fields: Any) -> TagsFound:
    """A page of tags of the repository `r`, for which the tagger has spent two requests."""
    found = tuple(FoundTag(name=tag) for tag in tags)
    return TagsFound(context=CONTEXT, repository="r", reading=READING, tags=found, requests=2, **fields)


async def observed(working: Stage[TagsFound], page: TagsFound) -> ImagesObserved:
    """The one message that a page becomes."""
    (message,) = await told(working.handle(page))
    assert isinstance(message, ImagesObserved)
    return message


def registry_of(**tags: bytes) -> FakeRegistry:
    registry = FakeRegistry({"r": {}})
    for tag, body in tags.items():
        registry.add("r", tag, body)
    return registry


def with_config(registry: FakeRegistry, body: bytes) -> bytes:
    registry.blobs[Digest.of(body)] = body
    return body


def an_image(registry: FakeRegistry, tag: str, architecture: str = "arm64", name: str = "") -> Digest:
    return registry.add("r", tag, image(with_config(registry, config(architecture)), name))


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


async def test_a_tag_that_still_points_where_the_store_knows_is_observed_without_facts() -> None:
    registry = registry_of()
    digest = an_image(registry, "a")
    store = FakeStore({("r", "a"): digest})
    seen = await observed(stage(registry, store), page_of("a"))
    assert [tag.digest for tag in seen.tags] == [digest]
    assert seen.manifests == ()
    assert registry.asked == ["manifest a"]
    assert store.asked == ["repositories", "tags"]


async def test_a_registry_that_does_not_say_unchanged_is_believed_its_digest() -> None:
    class Forgetful(FakeRegistry):
        async def manifest(
            self, repository: str, reference: str, known: Digest | None = None
        ) -> FetchedManifest | Unchanged:
            return await super().manifest(repository, reference)

    registry = Forgetful({"r": {}})
    digest = an_image(registry, "a")
    seen = await observed(stage(registry, FakeStore({("r", "a"): digest})), page_of("a"))
    assert [tag.digest for tag in seen.tags] == [digest]
    assert seen.manifests == ()
    assert registry.times_asked("config") == 0


async def test_a_tag_whose_digest_the_listing_told_and_the_store_knows_costs_no_request() -> None:
    registry = registry_of()
    digest = an_image(registry, "a")
    page = page_of().model_copy(update={"tags": (FoundTag(name="a", digest=digest),)})
    seen = await observed(stage(registry, FakeStore({("r", "a"): digest})), page)
    assert [tag.digest for tag in seen.tags] == [digest]
    assert registry.asked == []


async def test_a_tag_whose_digest_the_listing_told_is_read_by_that_digest_where_it_is_new() -> None:
    registry = registry_of()
    digest = an_image(registry, "a")
    page = page_of().model_copy(update={"tags": (FoundTag(name="a", digest=digest),)})
    seen = await observed(stage(registry), page)
    assert registry.asked[0] == f"manifest {digest}"
    assert [facts.digest for facts in seen.manifests] == [digest]


async def test_an_indexs_children_are_images_of_their_own_read_from_the_index_alone() -> None:
    registry = registry_of()
    children = [Digest.of(name) for name in (b"one", b"two")]
    top = registry.add("r", "a", index(entry(children[0], "amd64"), entry(children[1], "arm64")))
    seen = await observed(stage(registry), page_of("a"))
    assert registry.asked == ["manifest a"]
    assert [(facts.digest, facts.kind) for facts in seen.manifests] == [
        (top, "index"),
        (children[0], "image"),
        (children[1], "image"),
    ]
    assert [child.platform.architecture for child in seen.manifests[0].children] == ["amd64", "arm64"]


async def test_members_that_do_not_tell_what_they_are_are_read_once_for_all_tags_of_the_page() -> None:
    registry = registry_of()
    inner = registry.add_manifest(index(entry(Digest.of(b"leaf"), "amd64")))
    silent = registry.add_manifest(image(with_config(registry, config("arm64"))))
    for tag in "ab":
        registry.add("r", tag, index(entry(inner, media_type=OCI_INDEX), entry(silent), name=tag))
    seen = await observed(stage(registry), page_of("a", "b"))
    assert sorted(registry.asked) == sorted(
        ["manifest a", "manifest b", f"manifest {inner}", f"manifest {silent}", f"config {Digest.of(config('arm64'))}"]
    )
    assert len(seen.manifests) == 5
    platforms = {child.digest: child.platform for child in seen.manifests[0].children}
    assert platforms[silent] == ARM64


async def test_a_member_is_not_read_again_for_the_next_page() -> None:
    registry = registry_of()
    working = stage(registry)
    silent = registry.add_manifest(image(with_config(registry, config("arm64"))))
    for tag in "ab":
        registry.add("r", tag, index(entry(silent), name=tag))
    await observed(working, page_of("a"))
    seen = await observed(working, page_of("b"))
    assert registry.asked.count(f"manifest {silent}") == 1
    assert {child.platform for child in seen.manifests[0].children} == {ARM64}


async def test_a_member_that_cannot_be_read_fails_its_tag_and_no_other() -> None:
    registry = registry_of()
    missing = Digest.of(b"missing")
    registry.add("r", "a", index(entry(missing), entry(Digest.of(b"one"), "amd64")))
    an_image(registry, "b")
    seen = await observed(stage(registry), page_of("a", "b"))
    assert [tag.name for tag in seen.tags] == ["b"]
    assert [(failed.what, failed.reason) for failed in seen.failed] == [("a", "manifest_gone")]
    assert seen.gone == ()  # the tag is there: what it reaches is unknown, not absent
    assert [facts.kind for facts in seen.manifests] == ["image"]


async def test_an_index_that_is_too_wide_fails_its_tag_and_no_other() -> None:
    registry = registry_of()
    registry.add("r", "a", index(*(entry(Digest.of(str(number).encode()), "amd64") for number in range(1001))))
    an_image(registry, "b")
    seen = await observed(stage(registry), page_of("a", "b"))
    assert [tag.name for tag in seen.tags] == ["b"]
    assert [(failed.what, failed.reason) for failed in seen.failed] == [("a", REASON_TOO_WIDE)]


async def test_a_chart_is_an_artifact_and_needs_no_config() -> None:
    registry = registry_of(a=chart())
    (facts,) = (await observed(stage(registry), page_of("a"))).manifests
    assert (facts.kind, facts.artifact_type) == ("artifact", "application/vnd.cncf.helm.config.v1+json")
    assert registry.times_asked("config") == 0


async def test_a_config_is_read_once_for_all_images_that_share_it_and_not_again_for_the_next_page() -> None:
    registry, store = registry_of(), FakeStore()
    working = stage(registry, store)
    for tag in "abc":
        an_image(registry, tag, name=tag)
    await observed(working, page_of("a", "b"))
    seen = await observed(working, page_of("c"))
    assert registry.times_asked("config") == 1
    assert store.asked == ["repositories", "configs"]
    assert [facts.platform for facts in seen.manifests] == [ARM64]


async def test_pages_worked_side_by_side_read_a_shared_config_once() -> None:
    registry = registry_of()
    working = stage(registry)
    for tag in "ab":
        an_image(registry, tag, name=tag)
    await asyncio.gather(*(observed(working, page_of(tag)) for tag in "ab"))
    assert registry.times_asked("config") == 1


async def test_a_config_that_the_store_knows_is_not_read() -> None:
    registry = registry_of()
    an_image(registry, "a")
    digest = Digest.of(config("arm64"))
    row = ConfigRow(REGISTRY, digest, "linux", "arm64", "v8", "", NOW)
    seen = await observed(stage(registry, FakeStore(configs={digest: row})), page_of("a"))
    assert registry.times_asked("config") == 0
    assert (seen.manifests[0].platform.variant, seen.manifests[0].created) == ("v8", NOW)


async def test_a_config_that_cannot_be_read_fails_its_tags_and_no_other() -> None:
    registry = registry_of(c=chart())
    for tag in "ab":
        an_image(registry, tag, name=tag)
    registry.troubles[f"config {Digest.of(config('arm64'))}"] = [unavailable()]
    seen = await observed(stage(registry), page_of("a", "b", "c"))
    assert [tag.name for tag in seen.tags] == ["c"]
    assert {(failed.what, failed.reason) for failed in seen.failed} == {
        ("a", "registry_unavailable"),
        ("b", "registry_unavailable"),
    }


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


def found_with(told: tuple[ObservedManifest, ...] = (), **digests: Digest) -> TagsFound:
    """A page whose listing told digests, and perhaps facts."""
    tags = tuple(FoundTag(name=name, digest=digest) for name, digest in digests.items())
    return page_of().model_copy(update={"tags": tags, "told": told})


def an_image_told(name: str) -> ObservedManifest:
    return ObservedManifest(digest=Digest.of(name.encode()), kind="image", media_type=OCI_MANIFEST, platform=ARM64)


async def test_what_the_listing_told_of_a_digest_is_not_read() -> None:
    registry, facts = registry_of(), an_image_told("x")
    seen = await observed(stage(registry), found_with((facts,), a=facts.digest, b=facts.digest))
    assert [tag.digest for tag in seen.tags] == [facts.digest] * 2
    assert seen.manifests == (facts,)
    assert registry.asked == []


async def test_an_index_that_was_told_without_all_its_members_is_read() -> None:
    registry = registry_of()
    child = an_image_told("child")
    top = registry.add("r", "a", index(entry(child.digest, "amd64")))
    member = ObservedChild(digest=child.digest, platform=ARM64)
    told_index = ObservedManifest(digest=top, kind="index", media_type=OCI_INDEX, children=(member,))
    seen = await observed(stage(registry), found_with((told_index,), a=top))
    assert registry.asked == [f"manifest {top}"]
    assert {facts.kind for facts in seen.manifests} == {"index", "image"}
    seen = await observed(stage(registry), found_with((told_index, child), a=top))
    assert registry.asked == [f"manifest {top}"]
    assert seen.manifests == (told_index, child)


async def test_what_the_product_tells_of_one_tag_spares_its_manifest_and_config() -> None:
    registry, facts = registry_of(), an_image_told("x")
    registry.facts["a"] = (facts,)
    seen = await observed(stage(registry), found_with(a=facts.digest))
    assert registry.asked == ["image a"]
    assert (seen.manifests, seen.requests) == ((facts,), 3)


async def test_a_tag_that_moved_since_it_was_listed_is_observed_where_the_product_tells_it_now() -> None:
    registry, facts = registry_of(), an_image_told("new")
    registry.facts["a"] = (facts,)
    seen = await observed(stage(registry), found_with(a=Digest.of(b"old")))
    assert [tag.digest for tag in seen.tags] == [facts.digest]
    assert seen.manifests == (facts,)


async def test_a_tag_whose_listed_digest_is_gone_is_asked_by_its_name() -> None:
    registry = registry_of()
    digest = an_image(registry, "a")
    seen = await observed(stage(registry), found_with(a=Digest.of(b"old"), b=Digest.of(b"old")))
    assert [(tag.name, tag.digest) for tag in seen.tags] == [("a", digest)]
    assert seen.gone == ("b",)


async def test_a_new_tag_on_a_digest_that_the_store_knows_is_not_read() -> None:
    registry, digest = registry_of(), Digest.of(b"x")
    store = FakeStore({("r", "old"): digest}, digests={("r", digest)})
    seen = await observed(stage(registry, store), found_with(old=digest, new=digest))
    assert {tag.digest for tag in seen.tags} == {digest}
    assert (seen.manifests, registry.asked) == ((), [])


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
