"""What a tag's manifest leads to: the members of an index, and configs; each is read once."""

import asyncio

from services.manifester.expansion import REASON_TOO_WIDE
from shared.oci.digest import Digest
from shared.oci.media_types import OCI_INDEX
from shared.store.rows import ConfigRow
from tests.fakes.registry_access import REGISTRY, unavailable
from tests.fakes.store import FakeStore
from tests.unit.manifester.bodies import chart, config, entry, image, index
from tests.unit.manifester.pages import (
    ARM64,
    NOW,
    an_image,
    observed,
    page_of,
    registry_of,
    stage,
    with_config,
)


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
