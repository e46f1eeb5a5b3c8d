"""Pages of a reading carry what was told of their own tags, and no more than fits."""

from services.readings import TAGS_PER_PAGE, first_leg, told_of
from shared.messages.images_observed import ObservedChild, ObservedManifest
from shared.messages.tags_found import FoundTag
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from tests.fakes.registry_access import CONTEXT

AMD64 = Platform(os="linux", architecture="amd64")


def image(name: str) -> ObservedManifest:
    return ObservedManifest(digest=Digest.of(name.encode()), kind="image", media_type="m", platform=AMD64)


def index(name: str, *members: ObservedManifest) -> ObservedManifest:
    children = tuple(ObservedChild(digest=member.digest, platform=AMD64) for member in members)
    return ObservedManifest(digest=Digest.of(name.encode()), kind="index", media_type="m", children=children)


def tag(name: str, facts: ObservedManifest) -> FoundTag:
    return FoundTag(name=name, digest=facts.digest)


def test_each_page_carries_the_facts_of_its_own_tags() -> None:
    images = [image(str(number)) for number in range(TAGS_PER_PAGE + 1)]
    tags = [tag(f"t{number}", facts) for number, facts in enumerate(images)]
    first, second = first_leg(CONTEXT, "r", "id").pages(tags, images, last=True)
    assert first.told == tuple(images[:-1])
    assert second.told == (images[-1],)


def test_a_fact_that_several_tags_share_is_told_once() -> None:
    one = image("x")
    assert told_of((tag("a", one), tag("b", one)), {one.digest: one}) == (one,)


def test_an_index_is_told_with_all_members_or_not_at_all() -> None:
    members = [image("a"), image("b")]
    top = index("top", *members)
    facts = {each.digest: each for each in (top, *members)}
    assert told_of((tag("t", top),), facts) == (top, *members)
    del facts[members[1].digest]
    assert told_of((tag("t", top),), facts) == ()


def test_facts_beyond_the_room_of_a_message_are_left_out() -> None:
    images = [image(str(number)) for number in range(10)]
    size = len(images[0].model_dump_json())
    facts = {each.digest: each for each in images}
    tags = [tag(f"t{number}", each) for number, each in enumerate(images)]
    assert told_of(tags, facts, room=3 * size) == tuple(images[:3])


def test_of_a_name_given_twice_the_first_counts() -> None:
    leg = first_leg(CONTEXT, "r", "id")
    one, other = image("x"), image("y")
    assert leg.fresh((tag("a", one), tag("a", other), tag("b", one))) == (tag("a", one), tag("b", one))
    assert leg.fresh((tag("b", other), tag("c", other))) == (tag("c", other),)
