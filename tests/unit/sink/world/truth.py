"""What the registries hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.messages.images_observed import ManifestKind, ObservedChild, ObservedManifest
from shared.oci.digest import Digest
from shared.oci.platform import Platform

Place = tuple[str, str]
"""Registry and repository."""

REPOSITORIES: Final = ("base", "team/app", "web")
TAGS: Final = ("1", "2", "3", "4", "latest")


def _digest(name: str) -> Digest:
    return Digest.of(name.encode())


_KINDS: Final[Mapping[str, ManifestKind]] = {
    "pair": "index",
    "other pair": "index",
    "nested": "index",
    "amd64": "image",
    "arm64": "image",
    "s390x": "image",
    "riscv64": "image",
    "chart": "artifact",
}
# One image is shared by both pairs; the members of the nested index are all below it, the index within it too.
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "pair": ("amd64", "arm64"),
    "other pair": ("arm64", "s390x"),
    "nested": ("pair", "amd64", "arm64", "riscv64"),
}

NAMES: Final[Mapping[Digest, str]] = {_digest(name): name for name in _KINDS}
KINDS: Final[Mapping[Digest, ManifestKind]] = {_digest(name): kind for name, kind in _KINDS.items()}
MEMBERS: Final[Mapping[Digest, tuple[Digest, ...]]] = {
    _digest(name): tuple(map(_digest, members)) for name, members in _MEMBERS.items()
}
DIGESTS: Final = tuple(KINDS)


def reached_from(digests: Iterable[Digest]) -> set[Digest]:
    """Return these digests and the members of those that are indexes."""
    straight = set(digests)
    return straight | {member for digest in straight for member in MEMBERS.get(digest, ())}


def images_among(digests: Iterable[Digest]) -> set[Digest]:
    return {digest for digest in digests if KINDS[digest] == "image"}


def facts_of(digest: Digest) -> tuple[ObservedManifest, ...]:
    """Return what a manifest's body tells: of the manifest itself, and less of its members."""
    return (_facts(digest, whole=True), *(_facts(member, whole=False) for member in MEMBERS.get(digest, ())))


def _facts(digest: Digest, *, whole: bool) -> ObservedManifest:
    kind = KINDS[digest]
    return ObservedManifest(
        digest=digest,
        kind=kind,
        media_type=f"application/vnd.test.{kind}+json",
        platform=_platform(digest),
        size_bytes=len(NAMES[digest]) if whole and kind != "index" else None,
        config=_digest(f"config of {NAMES[digest]}") if whole and kind == "image" else None,
        children=tuple(ObservedChild(digest=member, platform=_platform(member)) for member in MEMBERS.get(digest, ())),
    )


def _platform(digest: Digest) -> Platform:
    return Platform(os="linux", architecture=NAMES[digest]) if KINDS[digest] == "image" else Platform()


@dataclass(frozen=True)
class Inventory:
    """What is, or is said to be, in a registry.  tags: (repository, tag) → digest.  images: (repository, digest)."""

    tags: Mapping[tuple[str, str], Digest]
    images: frozenset[tuple[str, Digest]]

    def differences(self, other: "Inventory") -> str:
        """Return in what they differ, "" where they are alike."""
        tags = sorted(set(self.tags.items()) ^ set(other.tags.items()))
        images = sorted(self.images ^ other.images)
        told = [f"{repository}:{tag}→{NAMES[digest]}" for (repository, tag), digest in tags]
        return " ".join(told + [f"{repository}@{NAMES[digest]}" for repository, digest in images])


class Truth:
    """The registries' content."""

    def __init__(self) -> None:
        self.repositories: dict[Place, dict[str, Digest]] = {}

    def point(self, place: Place, tag: str, digest: Digest | None) -> None:
        """Let a tag point to a digest, or remove it; a repository that lost its tags is still there."""
        tags = self.repositories.setdefault(place, {})
        if digest is None:
            tags.pop(tag, None)
        else:
            tags[tag] = digest

    def names(self, registry: str) -> list[str]:
        """Return the registry's repositories in order."""
        return sorted(repository for owner, repository in self.repositories if owner == registry)

    def inventory(self, registry: str) -> Inventory:
        """Return what the registry holds now."""
        here = {place: tags for place, tags in self.repositories.items() if place[0] == registry}
        return Inventory(
            tags={(place[1], tag): digest for place, tags in here.items() for tag, digest in tags.items()},
            images=frozenset(
                (place[1], image) for place, tags in here.items() for image in images_among(reached_from(tags.values()))
            ),
        )
