"""An estate: made-up repositories full of every kind of manifest, and the truth about them.

    estate = generate(seed=7, repositories=60, tags=2_000)
    Storage(registry.storage).write(estate)      # fast, behind the registry's back; or `await push(estate, registry)`
    estate.move_tag("a/b", "latest", estate.new_image("a/b"))

The same seed gives the same estate, byte for byte.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from shared.oci.digest import Digest
from tests.support.generator_content import KINDS, MAKERS, Contents, Made

_LONG: Final = "/".join(["long-" + "x" * 75] * 3)
NAMES: Final = (
    "library/alpine",
    "a/b/c/d/e/f",
    "a/b",
    "a-b.c",
    "x__y",
    "a--b/0",
    _LONG,
)
"""Names that trip readers: deep, one below the other, odd separators, almost as long as a name may be (255)."""
WITHOUT_TAGS: Final = "left/without-tags"
TAGS: Final = ("latest", "_", "1.0_rc.1-2", "V" + "9" * 127, "sha256-abc")
"""Tags that trip readers; among them the longest there can be."""


@dataclass
class Estate:
    """What a registry should hold: tags by repository, and contents by digest.

    repositories: name -> tag -> digest; one of them without tags.  contents: every manifest and blob that was ever
    part of it; what no tag reaches any more stays in here, as in a registry.
    """

    repositories: dict[str, dict[str, Digest]]
    contents: Contents

    @property
    def manifests(self) -> dict[Digest, Made]:
        """Every manifest by digest."""
        return self.contents.manifests

    @property
    def tag_count(self) -> int:
        """The tags of all repositories."""
        return sum(map(len, self.repositories.values()))

    def tags_reaching(self, repository: str) -> dict[Digest, frozenset[str]]:
        """Return every manifest that tags of the repository reach, straight or through indexes, with those tags.

        Attestations inside of indexes are not reached: they describe another entry and are no images.
        """
        reaching: dict[Digest, set[str]] = {}
        for tag, digest in self.repositories[repository].items():
            for reached in self.family(digest):
                reaching.setdefault(reached, set()).add(tag)
        return {digest: frozenset(tags) for digest, tags in reaching.items()}

    def family(self, digest: Digest) -> Iterator[Digest]:
        """Yield a manifest and, if it is an index, all that it leads to; each once a path."""
        yield digest
        for child in self.manifests[digest].children:
            yield from self.family(child.digest)

    def of_kind(self, kind: str, repository: str) -> dict[Digest, frozenset[str]]:
        """Return the manifests of a kind (`image`, `index`, `artifact`), each with the tags that reach it."""
        reaching = self.tags_reaching(repository)
        return {digest: tags for digest, tags in reaching.items() if self.manifests[digest].kind == kind}

    def new_image(self, repository: str) -> Digest:
        """Return a new image that no tag reaches yet; the repository is the one it is meant for."""
        return self.contents.image(label=f"new in {repository}")

    def move_tag(self, repository: str, tag: str, digest: Digest) -> Digest | None:
        """Point a tag, new or not, to this manifest of the estate; return where it pointed before."""
        before = self.repositories[repository].get(tag)
        self.repositories[repository][tag] = digest
        return before

    def delete_tag(self, repository: str, tag: str) -> Digest:
        """Take a tag away; return where it pointed. A repository that loses its last tag stays, empty."""
        return self.repositories[repository].pop(tag)

    def delete_repository(self, repository: str) -> dict[str, Digest]:
        """Take a repository away; return the tags it had."""
        return self.repositories.pop(repository)


def generate(seed: int, repositories: int, tags: int, kinds: Iterable[str] = KINDS) -> Estate:
    """Return an estate of exactly so many repositories (one of them without tags) and tags.

    kinds: of KINDS; each is there at least once when there are several times as many tags as kinds.
    One repository has an eighth of all tags, and from 1,000 tags on another has exactly 100, a page's size.
    """
    if repositories < 2 or tags < repositories - 1:
        raise ValueError("An estate needs two repositories and a tag for each but one.")
    random = Random(seed)
    estate = Estate({}, Contents(random))
    wanted = _kinds(random, tuple(kinds))
    for name, count in zip(_names(repositories - 1), _shares(random, repositories - 1, tags), strict=True):
        estate.repositories[name] = {}
        while len(estate.repositories[name]) < count:
            _add_tag(estate, name, random, wanted)
    estate.repositories[WITHOUT_TAGS] = {}
    return estate


def _names(count: int) -> list[str]:
    made = (f"team-{number % 17}/service.{number}" for number in itertools.count())
    return list(itertools.islice(itertools.chain(NAMES, made), count))


def _shares(random: Random, repositories: int, tags: int) -> list[int]:
    """Return how many tags each repository gets, at least one."""
    shares = [1] * repositories
    left = tags - repositories
    fixed = {0: tags // 8, 1: 99 if tags >= 1_000 else 0}
    for place, more in fixed.items():
        if place < repositories - 1:
            shares[place] += min(more, left)
            left -= min(more, left)
    first = min(len(fixed), repositories - 1)
    for _ in range(left):
        shares[random.randrange(first, repositories)] += 1
    return shares


def _kinds(random: Random, kinds: tuple[str, ...]) -> Iterator[str]:
    """Yield each kind once, then kinds by their weights for ever."""
    yield from kinds
    weights = [KINDS[kind] for kind in kinds]
    while True:
        yield random.choices(kinds, weights)[0]


def _add_tag(estate: Estate, repository: str, random: Random, wanted: Iterator[str]) -> None:
    """Add one tag: of a digest the repository has, of one another repository has, or of something new."""
    tags = estate.repositories[repository]
    dice = random.random()
    if dice < 0.2 and tags:
        digest = random.choice(list(tags.values()))
    elif dice < 0.25 and estate.contents.plain:
        digest = random.choice(estate.contents.plain)
    else:
        subject = random.choice(list(tags.values())) if tags else None
        digest, tag = MAKERS[next(wanted)](estate.contents, subject)
        if tag:
            tags.setdefault(tag, digest)
            return
    tags[_tag(tags, random)] = digest


def _tag(tags: dict[str, Digest], random: Random) -> str:
    """Return a tag that is not taken."""
    for tag in TAGS:
        if tag not in tags and random.random() < 0.1:
            return tag
    number = len(tags)
    return f"v{number // 50}.{number % 50}.{random.randrange(10)}-{number}"
