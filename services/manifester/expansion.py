"""What a tag's manifest, and those below it, amount to: images, indexes and artifacts. Pure.

An index's entries that tell their platform are images without a request. Those that do not, and indexes within the
index, are to be read. All that lies below an index, at any depth, are its members.
"""

from collections.abc import Mapping
from typing import Final

from shared.errors import PermanentError, TallymanError
from shared.messages.images_observed import ObservedChild, ObservedManifest
from shared.oci.config import ParsedConfig
from shared.oci.digest import Digest
from shared.oci.manifest import IndexEntry, Parsed, ParsedArtifact, ParsedImage, ParsedIndex
from shared.oci.media_types import IMAGE_CONFIGS, INDEXES
from shared.oci.platform import Platform

DEEPEST: Final = 3
"""Indexes within one another that are read: an index of indexes of indexes, no more."""

MEMBERS_AT_MOST: Final = 1000
"""Members of one index that are taken; real ones have under 200."""

REASON_TOO_DEEP: Final = "index_too_deep"
REASON_TOO_WIDE: Final = "index_too_wide"

Manifests = Mapping[Digest, Parsed | TallymanError]
"""By digest: what was read, or why it was not."""

Configs = Mapping[Digest, ParsedConfig | TallymanError]
"""By config digest: what was read, or why it was not."""


def members(index: ParsedIndex, read: Manifests) -> dict[Digest, IndexEntry]:
    """Return all entries below the index as far as the manifests read so far tell, nearest first, each once.

    Raises PermanentError where they are too many or too deep.
    """
    found: dict[Digest, IndexEntry] = {}
    level = [index]
    for depth in range(1, DEEPEST + 1):
        new: dict[Digest, IndexEntry] = {}
        for entry in (entry for parent in level for entry in parent.entries if entry.digest not in found):
            new.setdefault(entry.digest, entry)
        found |= new
        inner = [entry for entry in new.values() if _is_index(entry, read)]
        if len(found) > MEMBERS_AT_MOST:
            raise _too_wide()
        if inner and depth == DEEPEST:
            raise _too_deep()
        level = [below for entry in inner if isinstance(below := read.get(entry.digest), ParsedIndex)]
    return found


def unread(index: ParsedIndex, read: Manifests) -> list[Digest]:
    """Return the members that are to be read next: they do not tell what they are, or have members of their own.

    Raises PermanentError as `members` does.
    """
    found = members(index, read)
    return [digest for digest, entry in found.items() if _needs_reading(entry) and digest not in read]


def configs_of(parsed: Parsed, read: Manifests) -> set[Digest]:
    """Return the digests of the configs that tell the platforms of this manifest and of the members that were read."""
    below = members(parsed, read).values() if isinstance(parsed, ParsedIndex) else ()
    images = (parsed, *(read.get(entry.digest) for entry in below if _needs_reading(entry)))
    return {image.config for image in images if isinstance(image, ParsedImage) and image.config}


def expand(digest: Digest, parsed: Parsed, read: Manifests, configs: Configs) -> list[ObservedManifest]:
    """Return the facts of the manifest, then those of its members.

    Raises the TallymanError for which a member or a config was not read: then the whole is not known.
    """
    below = members(parsed, read) if isinstance(parsed, ParsedIndex) else {}
    every = {digest: parsed} | {member: _what(entry, read) for member, entry in below.items()}
    platforms = {member: _platform(what, configs) for member, what in every.items()}
    return [_facts(member, what, configs, every, platforms) for member, what in every.items()]


def tells_more(manifest: ObservedManifest, known: ObservedManifest | None) -> bool:
    """Return whether the manifest's facts are new, or more than those known: an image's own beat an index's entry."""
    return known is None or _told(manifest) > _told(known)


def _told(manifest: ObservedManifest) -> tuple[bool, bool, bool]:
    return bool(manifest.children), manifest.size_bytes is not None, manifest.created is not None


def _below(index: ParsedIndex, every: Mapping[Digest, Parsed | IndexEntry]) -> dict[Digest, None]:
    """Return the members of an index, be it the outermost or one within it, as the whole family sees them.

    every: the family. An entry that one of its indexes describes and another does not is the same thing to both.
    """
    found: dict[Digest, None] = {}
    parents = [index]
    for parent in parents:  # grows meanwhile
        for entry in parent.entries:
            what = every[entry.digest]
            if entry.digest not in found and isinstance(what, ParsedIndex):
                parents.append(what)
            found[entry.digest] = None
    return found


def _what(entry: IndexEntry, read: Manifests) -> Parsed | IndexEntry:
    """Return the member as it was read, or the entry where that tells enough. Raises why it was not read."""
    what = read[entry.digest] if _needs_reading(entry) else entry
    if isinstance(what, TallymanError):
        raise what
    return what


def _platform(what: Parsed | IndexEntry, configs: Configs) -> Platform:
    match what:
        case ParsedImage():
            return _config(what, configs).platform
        case IndexEntry() if not _is_artifact(what):
            return what.platform or Platform()
    return Platform()


def _config(image: ParsedImage, configs: Configs) -> ParsedConfig:
    """Return what tells the image's platform: its config, or for schema 1 the manifest itself."""
    told = configs[image.config] if image.config else ParsedConfig(image.platform or Platform(), image.created)
    if isinstance(told, TallymanError):
        raise told
    return told


def _facts(
    digest: Digest,
    what: Parsed | IndexEntry,
    configs: Configs,
    every: Mapping[Digest, Parsed | IndexEntry],
    platforms: Mapping[Digest, Platform],
) -> ObservedManifest:
    match what:
        case ParsedImage():
            return ObservedManifest(
                digest=digest,
                kind="image",
                media_type=what.media_type,
                platform=platforms[digest],
                size_bytes=what.size_bytes,
                created=_config(what, configs).created,
                config=what.config,
            )
        case ParsedIndex():
            children = tuple(ObservedChild(digest=member, platform=platforms[member]) for member in _below(what, every))
            return ObservedManifest(digest=digest, kind="index", media_type=what.media_type, children=children)
        case ParsedArtifact():
            return ObservedManifest(
                digest=digest,
                kind="artifact",
                media_type=what.media_type,
                artifact_type=what.artifact_type,
                size_bytes=what.size_bytes,
            )
        case IndexEntry():  # an entry's size is its manifest's alone, so none is told
            return ObservedManifest(
                digest=digest,
                kind="artifact" if _is_artifact(what) else "image",
                media_type=what.media_type,
                artifact_type=what.artifact_type if _is_artifact(what) else "",
                platform=platforms[digest],
            )


def _is_artifact(entry: IndexEntry) -> bool:
    return bool(entry.artifact_type) and entry.artifact_type not in IMAGE_CONFIGS


def _needs_reading(entry: IndexEntry) -> bool:
    tells = _is_artifact(entry) or (entry.platform is not None and entry.platform.architecture)
    return entry.media_type in INDEXES or not tells


def _is_index(entry: IndexEntry, read: Manifests) -> bool:
    return entry.media_type in INDEXES or (_needs_reading(entry) and isinstance(read.get(entry.digest), ParsedIndex))


def _too_wide() -> PermanentError:
    return PermanentError(
        f"The index has more than {MEMBERS_AT_MOST:,} members, more than is read of one.", reason=REASON_TOO_WIDE
    )


def _too_deep() -> PermanentError:
    return PermanentError(
        f"Indexes lie more than {DEEPEST} deep within one another, deeper than is read.", reason=REASON_TOO_DEEP
    )
