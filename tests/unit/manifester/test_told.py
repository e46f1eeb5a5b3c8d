"""What a listing told of a tag, or the store knows, is not read."""

from shared.messages.images_observed import ObservedChild, ObservedManifest
from shared.messages.tags_found import FoundTag, TagsFound
from shared.oci.digest import Digest
from shared.oci.media_types import OCI_INDEX, OCI_MANIFEST
from shared.registry.client import FetchedManifest, Unchanged
from tests.fakes.registry_access import FakeRegistry
from tests.fakes.store import FakeStore
from tests.unit.manifester.bodies import entry, index
from tests.unit.manifester.pages import ARM64, an_image, observed, page_of, registry_of, stage


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
