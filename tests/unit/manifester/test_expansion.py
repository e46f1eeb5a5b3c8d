"""What a manifest and its members amount to."""

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from services.manifester.expansion import (
    DEEPEST,
    MEMBERS_AT_MOST,
    REASON_TOO_DEEP,
    REASON_TOO_WIDE,
    configs_of,
    expand,
    members,
    tells_more,
    unread,
)
from shared.errors import PermanentError, TallymanError
from shared.messages.images_observed import ObservedManifest
from shared.oci.config import ParsedConfig
from shared.oci.digest import Digest
from shared.oci.manifest import IndexEntry, Parsed, ParsedArtifact, ParsedImage, ParsedIndex
from shared.oci.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from shared.oci.platform import Platform

AMD64, ARM64 = (Platform(os="linux", architecture=name) for name in ("amd64", "arm64"))
TOP = Digest.of(b"top")
Read = dict[Digest, Parsed | TallymanError]


def digest(name: str) -> Digest:
    return Digest.of(name.encode())


def entry(
    name: str, platform: Platform | None = None, media_type: str = OCI_MANIFEST, artifact_type: str = ""
) -> IndexEntry:
    return IndexEntry(digest(name), media_type, artifact_type, platform, size=500)


def index(*entries: IndexEntry) -> ParsedIndex:
    return ParsedIndex(OCI_INDEX, entries)


def image(config: str) -> ParsedImage:
    return ParsedImage(OCI_MANIFEST, digest(config), 30)


def nested(depth: int) -> tuple[ParsedIndex, Read]:
    """An index within an index, so many of them in all, all of them read."""
    read: Read = {}
    inner = index(entry("leaf", ARM64))
    for level in range(depth - 1):
        read[digest(f"index {level}")] = inner
        inner = index(entry(f"index {level}", media_type=OCI_INDEX))
    return inner, read


def test_an_entry_that_tells_its_platform_is_an_image_without_a_request() -> None:
    top = index(entry("a", AMD64), entry("b", ARM64))
    assert unread(top, {}) == []
    assert configs_of(top, {}) == set()
    whole, a, b = expand(TOP, top, {}, {})
    assert (whole.digest, whole.kind) == (TOP, "index")
    assert [(child.digest, child.platform) for child in whole.children] == [(digest("a"), AMD64), (digest("b"), ARM64)]
    assert a == ObservedManifest(digest=digest("a"), kind="image", media_type=OCI_MANIFEST, platform=AMD64)
    assert (b.platform, b.size_bytes, b.created) == (ARM64, None, None)


def test_an_entry_without_a_platform_is_read_and_tells_what_its_config_tells() -> None:
    top = index(entry("a"), entry("b", Platform(os="linux")))
    assert unread(top, {}) == [digest("a"), digest("b")]
    read: Read = {digest("a"): image("config"), digest("b"): ParsedArtifact(OCI_MANIFEST, "sbom", 7)}
    assert unread(top, read) == []
    assert configs_of(top, read) == {digest("config")}
    whole, a, b = expand(TOP, top, read, {digest("config"): ParsedConfig(ARM64, None)})
    assert [child.platform for child in whole.children] == [ARM64, Platform()]
    assert (a.kind, a.platform, a.size_bytes, a.config) == ("image", ARM64, 30, digest("config"))
    assert (b.kind, b.artifact_type, b.size_bytes) == ("artifact", "sbom", 7)


def test_an_entry_that_says_it_is_an_artifact_is_one_without_a_request() -> None:
    top = index(entry("a", artifact_type="application/spdx+json"), entry("b", AMD64, artifact_type=OCI_CONFIG))
    assert unread(top, {}) == []
    _, artifact, of_an_images_type = expand(TOP, top, {}, {})
    assert (artifact.kind, artifact.artifact_type) == ("artifact", "application/spdx+json")
    assert of_an_images_type.kind == "image"


def test_all_that_lies_below_an_index_are_its_members_and_an_inner_index_is_one_too() -> None:
    top = index(entry("inner", media_type=OCI_INDEX), entry("a", AMD64))
    assert unread(top, {}) == [digest("inner")]
    read: Read = {digest("inner"): index(entry("b", ARM64), entry("a", AMD64))}
    whole, *below = expand(TOP, top, read, {})
    assert [child.digest for child in whole.children] == [digest("inner"), digest("a"), digest("b")]
    assert [(manifest.digest, manifest.kind) for manifest in below] == [
        (digest("inner"), "index"),
        (digest("a"), "image"),
        (digest("b"), "image"),
    ]
    assert [child.digest for child in below[0].children] == [digest("b"), digest("a")]


def test_an_index_that_is_not_labelled_as_one_is_found_when_it_is_read() -> None:
    top = index(entry("inner", media_type=""))
    read: Read = {digest("inner"): index(entry("b", ARM64))}
    assert set(members(top, read)) == {digest("inner"), digest("b")}


def test_indexes_may_lie_so_deep_and_no_deeper() -> None:
    top, read = nested(DEEPEST)
    assert len(members(top, read)) == DEEPEST
    top, read = nested(DEEPEST + 1)
    read.pop(digest("index 0"))  # it is refused before it is asked for
    with pytest.raises(PermanentError) as refused:
        members(top, read)
    assert refused.value.reason == REASON_TOO_DEEP


def test_an_index_may_be_so_wide_and_no_wider() -> None:
    entries = [entry(str(number), AMD64) for number in range(MEMBERS_AT_MOST + 1)]
    assert len(members(index(*entries[1:]), {})) == MEMBERS_AT_MOST
    with pytest.raises(PermanentError) as refused:
        members(index(*entries), {})
    assert refused.value.reason == REASON_TOO_WIDE


def test_an_index_within_itself_ends() -> None:
    top = index(entry("top", media_type=OCI_INDEX))
    assert set(members(top, {digest("top"): top})) == {digest("top")}


@pytest.mark.parametrize("missing", ["member", "config"])
def test_a_member_or_config_that_was_not_read_fails_the_whole(missing: str) -> None:
    error = PermanentError("No.", reason="no")
    read: Read = {digest("a"): error if missing == "member" else image("config")}
    with pytest.raises(PermanentError) as raised:
        expand(TOP, index(entry("a"), entry("b", AMD64)), read, {digest("config"): error})
    assert raised.value is error


def test_a_schema_1_image_tells_its_platform_itself() -> None:
    schema1 = ParsedImage("application/vnd.docker.distribution.manifest.v1+prettyjws", None, None, AMD64)
    assert configs_of(schema1, {}) == set()
    (facts,) = expand(TOP, schema1, {}, {})
    assert (facts.kind, facts.platform, facts.size_bytes, facts.config) == ("image", AMD64, None, None)


def test_an_images_own_facts_are_more_than_an_index_entrys() -> None:
    (own,) = expand(digest("a"), image("config"), {}, {digest("config"): ParsedConfig(AMD64, None)})
    _, told_by_entry = expand(TOP, index(entry("a", AMD64)), {}, {})
    assert tells_more(own, told_by_entry)
    assert not tells_more(told_by_entry, own)
    assert not tells_more(own, own)
    assert tells_more(told_by_entry, None)


def test_what_one_index_describes_and_another_does_not_is_the_same_to_both() -> None:
    top = index(entry("a", media_type=OCI_INDEX), entry("b", media_type=OCI_INDEX))
    read: Read = {digest("a"): index(entry("f", AMD64)), digest("b"): index(entry("f"))}
    whole, a, b, f = expand(TOP, top, read, {})
    assert (f.digest, f.kind) == (digest("f"), "image")
    assert whole.children[2:] == a.children == b.children


NAMES = st.sampled_from("abcdef")


@given(st.dictionaries(NAMES, st.lists(st.tuples(NAMES, st.booleans()), max_size=6)))
@example({"a": [], "b": [("f", True)], "c": [("f", False)], "f": [("d", False)]})
def test_whatever_points_where_every_member_has_its_facts_once(graph: dict[str, list[tuple[str, bool]]]) -> None:
    read: Read = {
        digest(name): index(*(entry(to, AMD64 if told else None, media_type="") for to, told in entries))
        for name, entries in graph.items()
    }
    read = {digest(name): image("config") for name in "abcdef"} | read
    top = index(*(entry(name) for name in "abc"))
    try:
        facts = expand(TOP, top, read, {digest("config"): ParsedConfig(ARM64, None)})
    except PermanentError as error:
        event(error.reason)
        return
    told = [manifest.digest for manifest in facts]
    assert len(set(told)) == len(told)
    for manifest in facts:
        assert {child.digest for child in manifest.children} <= set(told)
